package lint

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/chatledger/chatledger"

// layers says what each part of the tree may import, besides itself and the
// standard library: packages of this module by their path in it, others in
// full. The first pattern that matches a package decides; a package that none
// matches is an error, so that a new folder gets its rule.
var layers = []struct{ pkg, may string }{
	{"domain/internal/domaintest", "domain/** " + forTests},
	{"domain/**", "domain/**"},

	{"eventstore", "github.com/google/uuid " + jsonv2},
	{"eventstore/codec", "eventstore github.com/google/uuid " + jsonv2},
	{"eventstore/eventstoretest", "eventstore eventstore/** " + forTests},
	{"eventstore/memory", "eventstore github.com/google/uuid"},
	{"eventstore/faulty", "eventstore"},
	{"eventstore/sqlite/**", "eventstore github.com/google/uuid zombiezen.com/go/sqlite/** modernc.org/sqlite/** modernc.org/libc github.com/pressly/goose/v3/**"},
	{"eventstore/postgres/**", "eventstore github.com/google/uuid github.com/jackc/pgx/v5/** github.com/pressly/goose/v3/**"},
	{"eventstore/kurrent", "eventstore " + grpc},
	{"eventstore/gateway", "eventstore " + grpc},
	{"eventstore/gateway/gatewaytest", "eventstore eventstore/eventstoretest eventstore/gateway " + grpc},
	{"eventstore/feed", "eventstore github.com/google/uuid " + watermill},

	{"audit", "eventstore internal/eventline internal/sqldb github.com/google/uuid golang.org/x/mod/sumdb/** " + jsonv2},
	{"audit/auditapi", "audit domain/** eventstore internal/web projections/cursor " + http},

	{"commands", "domain/** eventstore eventstore/codec internal/ids github.com/google/uuid golang.org/x/sync/**"},
	{"commands/commandapi", "commands audit internal/viewscript internal/blob internal/csvtext internal/transcript domain/** eventstore eventstore/codec internal/ids internal/web " + http},

	{"internal/transcript", "domain/** eventstore eventstore/codec internal/ids internal/csvtext"},
	{"internal/csvtext", ""},
	{"internal/rowfile", "domain/** internal/csvtext github.com/parquet-go/parquet-go/**"},
	{"internal/viewscript", "domain/** github.com/dop251/goja/**"},
	{"internal/eventline", "eventstore github.com/google/uuid " + jsonv2},

	{"internal/logcopy", "eventstore golang.org/x/sync/**"},

	{"internal/blob", ""},
	{"internal/blob/blobtest", "internal/blob " + forTests},
	{"internal/blob/dir", "internal/blob"},
	{"internal/blob/s3", "internal/blob github.com/minio/minio-go/v7/**"},

	{"projections/projectionstest", "projections domain/** eventstore eventstore/codec internal/ids internal/sqldb " + forTests},
	{"projections/views/viewstest", "projections/** domain/** eventstore eventstore/codec internal/ids internal/sqldb " + forTests},
	{"projections/viewsapi", "projections projections/cursor domain/** eventstore internal/sqldb internal/web " + http},
	{"projections/search", "projections projections/** domain/** eventstore internal/sqldb golang.org/x/text/**"},
	{"projections/scripted", "projections/cursor domain/** eventstore internal/sqldb internal/viewscript github.com/google/uuid"},
	{"projections", "domain/** eventstore eventstore/codec internal/ids internal/sqldb github.com/google/uuid golang.org/x/sync/**"},
	{"projections/**", "projections projections/** domain/** eventstore eventstore/codec internal/ids internal/sqldb github.com/google/uuid golang.org/x/sync/**"},
	{"readapi", "projections projections/** domain/** eventstore eventstore/codec internal/viewscript internal/rowfile internal/blob internal/csvtext internal/ids internal/sqldb internal/web " + http},

	{"publishing", "eventstore github.com/google/uuid " + watermill},
	{"publishing/nats", "publishing eventstore " + watermill + " github.com/ThreeDotsLabs/watermill-nats/v2/** github.com/nats-io/nats.go/**"},
	{"publishing/kafka", "publishing github.com/IBM/sarama " + watermill + " github.com/ThreeDotsLabs/watermill-kafka/v3/**"},
	{"publishing/nats/natstest", "publishing github.com/nats-io/**"},
	{"reactors/**", "commands domain/** eventstore eventstore/codec eventstore/feed channels/** publishing internal/blob internal/ids " + watermill + " github.com/google/uuid golang.org/x/sync/** golang.org/x/time/rate"},
	{"channels/**", "channels/** commands domain/** eventstore eventstore/codec internal/ids internal/web github.com/google/uuid github.com/nyaruka/phonenumbers golang.org/x/time/rate"},
	{"internal/accounts", "domain/** eventstore eventstore/feed reactors internal/ids internal/sqldb github.com/google/uuid github.com/pressly/goose/v3/**"},

	{"internal/ids", "github.com/google/uuid"},
	{"internal/sqldb", "zombiezen.com/go/sqlite/** github.com/jackc/pgx/v5/** github.com/google/uuid"},
	{"internal/web", "domain/** eventstore internal/ids internal/sqldb " + http},
	{"internal/testenv/**", "internal/testenv/** github.com/jackc/pgx/v5/** golang.org/x/sys/**"},
	{"internal/acceptance/**", "**"}, // tests of the whole
	{"internal/soak", "channels/whatsapp/graphtest cmd/chatledger/demo internal/ids golang.org/x/sync/**"},
	{"internal/eventdoc", ""},
	{"internal/lint", ""},
	{"cmd/**", "**"},
}

const (
	forTests  = "github.com/google/** pgregory.net/rapid go.uber.org/goleak github.com/anishathalye/porcupine github.com/cockroachdb/datadriven" // packages that only tests import
	grpc      = "github.com/google/uuid google.golang.org/grpc/** google.golang.org/protobuf/** google.golang.org/genproto/googleapis/rpc/** github.com/EventStore/EventStore-Client-Go/v4/**"
	watermill = "github.com/ThreeDotsLabs/watermill/**"
	jsonv2    = "github.com/go-json-experiment/json/**"
	http      = "github.com/danielgtaylor/huma/v2/** github.com/google/uuid github.com/prometheus/client_golang/** golang.org/x/time/rate"
)

// impure lists the parts of the standard library that domain must not touch.
const impure = "os os/** io/fs net net/http net/http/** database/** math/rand math/rand/** crypto/rand context log log/** syscall time/tzdata sync sync/** runtime runtime/** testing"

func TestLayers(t *testing.T) {
	for _, p := range packages(t) {
		rel := relative(p.ImportPath)
		may, known := "", false
		for _, l := range layers {
			if known = match(l.pkg, rel); known {
				may = l.pkg + " " + l.may
				break
			}
		}
		if !known {
			t.Errorf("%s has no line in layers: say what it may import", rel)
			continue
		}
		for _, imp := range p.Imports {
			std := !strings.Contains(strings.Split(imp, "/")[0], ".")
			switch {
			case std && match("domain/**", rel) && !strings.HasSuffix(rel, "test") && matchAny(impure, imp):
				t.Errorf("%s imports %s, which is not pure", rel, imp)
			case !std && !matchAny(may, relative(imp)):
				t.Errorf("%s imports %s; it may import only: %s", rel, relative(imp), may)
			}
		}
	}
}

// concrete lists what is chosen in one place: drivers, databases, views, the
// message router and what hangs on it.
const concrete = "eventstore/memory eventstore/sqlite eventstore/postgres eventstore/kurrent eventstore/gateway eventstore/feed internal/sqldb projections/* " +
	"channels/whatsapp commands/commandapi readapi internal/blob/* publishing/* " +
	"zombiezen.com/go/sqlite/** github.com/jackc/pgx/v5/** " + watermill

// In cmd, one file knows every concrete type; the others work on what it hands them.
func TestOnlyWireKnowsConcreteTypes(t *testing.T) {
	for f := range sources(t) {
		if !strings.HasPrefix(f.path, "cmd/") || f.test || f.path == "cmd/chatledger/wire.go" {
			continue
		}
		for _, spec := range f.ast.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if matchAny(concrete, relative(imp)) {
				t.Errorf("%s imports %s; only cmd/chatledger/wire.go may", f.path, relative(imp))
			}
		}
	}
}

func TestEveryPackageHasADoc(t *testing.T) {
	for _, p := range packages(t) {
		if p.Doc == "" {
			t.Errorf("%s has no package comment: say what it is and what it must not do", relative(p.ImportPath))
		}
	}
}

type pkg struct {
	ImportPath string
	Doc        string
	Imports    []string
}

// packages returns every package of the module. Imports of test files are not
// part of it: a test may use what its package may not.
func packages(t *testing.T) (all []pkg) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Doc,Imports", module+"/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func relative(importPath string) string {
	return strings.TrimPrefix(strings.TrimPrefix(importPath, module), "/")
}

func matchAny(patterns, s string) bool {
	for p := range strings.FieldsSeq(patterns) {
		if match(p, s) {
			return true
		}
	}
	return false
}

// match reports whether s is p, or below it if p ends in "/**"; "**" is everything.
func match(p, s string) bool {
	if p == "**" {
		return true
	}
	if root, ok := strings.CutSuffix(p, "/**"); ok {
		return s == root || strings.HasPrefix(s, root+"/")
	}
	ok, err := path.Match(p, s)
	return ok && err == nil
}
