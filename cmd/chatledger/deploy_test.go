package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	natsserver "github.com/nats-io/nats-server/v2/server"
	"go.yaml.in/yaml/v3"

	"github.com/chatledger/chatledger/publishing/kafka"
	"github.com/chatledger/chatledger/publishing/nats"
)

const deployFolder = "../../deploy"

// container is one that a file in deploy/ runs.
type container struct {
	Image string
	Args  []string
	Env   map[string]string // of Kubernetes: only what is not secret, and names of what is
}

var (
	pinned      = regexp.MustCompile(`^[a-z][a-z0-9./-]*:[0-9]+\.[0-9]+(\.[0-9]+)?(-[a-z0-9.]+)?$`)
	interpolate = regexp.MustCompile(`\$\{[A-Z_]+:\?[^}]*\}`)
)

// serves parses the arguments of a container as the program does, with its environment.
func (c container) serves(t *testing.T) ServeCmd {
	t.Helper()
	var cli CLI
	parser, err := kong.New(&cli, kong.Name("chatledger"), kong.DefaultEnvars("CHATLEDGER"), kong.Vars{"version": ""},
		kong.Writers(io.Discard, io.Discard), kong.BindTo(context.Context(nil), (*context.Context)(nil)))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	if err := kong.Visit(parser.Model.Node, func(node kong.Visitable, next kong.Next) error {
		if f, ok := node.(*kong.Flag); ok {
			for _, name := range f.Envs {
				known[name] = true
			}
		}
		return next(nil)
	}); err != nil {
		t.Fatal(err)
	}
	for name, value := range c.Env {
		if strings.HasPrefix(name, "CHATLEDGER_") && !known[name] {
			t.Errorf("%s is no variable that the program reads", name)
		}
		t.Setenv(name, value)
	}
	selected, err := parser.Parse(c.Args)
	if err != nil {
		t.Fatalf("chatledger %v: %v", c.Args, err)
	}
	if selected.Command() != "serve" {
		t.Fatalf("it runs %q", selected.Command())
	}
	if err := cli.Serve.check(); err != nil {
		t.Error(err)
	}
	s := cli.Serve
	if s.Log != inFiles && !isPostgres(s.Log) && !isKurrent(s.Log) {
		t.Errorf("CHATLEDGER_LOG is %q", s.Log)
	}
	if views := s.views(); views != inFiles && !isPostgres(views) {
		t.Errorf("CHATLEDGER_VIEWS is %q", views)
	}
	if s.Publish != "" && !nats.IsAddress(s.Publish) && !kafka.IsAddress(s.Publish) {
		t.Errorf("CHATLEDGER_PUBLISH is %q", s.Publish)
	}
	if s.usesFiles() && len(s.Roles) != 3 {
		t.Errorf("roles %v: a log in files has one process", s.Roles)
	}
	return s
}

// everyRole checks that the processes of an installation do all there is to do.
func everyRole(t *testing.T, serving []ServeCmd) {
	t.Helper()
	for _, want := range everything("").Roles {
		if !slices.ContainsFunc(serving, func(s ServeCmd) bool { return s.has(want) }) {
			t.Errorf("no process does %s", want)
		}
	}
}

func deployed(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(deployFolder, pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	return found
}

func TestCompose(t *testing.T) {
	for _, file := range deployed(t, "compose/*.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var f struct {
				Services map[string]struct {
					Image       string
					Build       struct{ Context, Dockerfile string }
					Command     []string
					Environment map[string]string
					User        string
					ReadOnly    bool     `yaml:"read_only"`
					CapDrop     []string `yaml:"cap_drop"`
					SecurityOpt []string `yaml:"security_opt"`
					Volumes     []string
					DependsOn   map[string]any `yaml:"depends_on"`
				}
				Volumes map[string]any
				Configs map[string]struct{ Content string }
			}
			if err := yaml.Unmarshal(text, &f); err != nil {
				t.Fatal(err)
			}
			var serving []ServeCmd
			for name, s := range f.Services {
				for _, v := range s.Volumes {
					if volume, _, _ := strings.Cut(v, ":"); !contains(f.Volumes, volume) {
						t.Errorf("%s: volume %s is not declared", name, volume)
					}
				}
				for other := range s.DependsOn {
					if _, ok := f.Services[other]; !ok {
						t.Errorf("%s depends on %s, which is not there", name, other)
					}
				}
				for key, value := range s.Environment {
					if u, err := url.Parse(value); err == nil && u.User != nil {
						if word, set := u.User.Password(); set {
							t.Errorf("%s: %s has a password in it: %s", name, key, word)
						}
					}
					if (strings.Contains(key, "PASSWORD") || strings.Contains(key, "TOKEN")) && !interpolate.MatchString(value) {
						t.Errorf("%s: %s is in the file", name, key)
					}
					s.Environment[key] = interpolate.ReplaceAllString(value, "secret")
				}
				if !strings.HasPrefix(s.Image, "chatledger:") {
					if !pinned.MatchString(s.Image) {
						t.Errorf("%s: image %s has no version", name, s.Image)
					}
					continue
				}
				if s.User != "65532:65532" || !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
					t.Errorf("%s may do more than it has to", name)
				}
				if _, err := os.Stat(filepath.Join(filepath.Dir(file), s.Build.Context, s.Build.Dockerfile)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				serving = append(serving, container{s.Image, s.Command, s.Environment}.serves(t))
			}
			everyRole(t, serving)
			if published := slices.ContainsFunc(serving, func(s ServeCmd) bool { return s.Publish != "" }); published {
				checkNATS(t, f.Services["nats"].Image, f.Configs["nats"].Content)
			}
		})
	}
}

// checkNATS checks that the server of NATS takes its settings, and keeps what it acknowledges.
func checkNATS(t *testing.T, image, settings string) {
	t.Helper()
	t.Setenv("NATS_TOKEN", "secret")
	file := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(settings, "$$", "$")), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := natsserver.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !o.JetStream || o.StoreDir != "/data" || !o.SyncAlways || o.Authorization != "secret" {
		t.Errorf("NATS is set up as %q", settings)
	}
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if version := strings.TrimPrefix(image, "nats:"); !strings.Contains(string(mod), "nats-server/v2 v"+version+"\n") {
		t.Errorf("image %s is not the server that the tests run against", image)
	}
}

func contains[V any](m map[string]V, key string) bool {
	_, ok := m[key]
	return ok
}

// secrets are what the files for Kubernetes take from a secret, and an example of each.
var secrets = map[string]string{
	"log": "esdb://user:secret@kurrentdb:2113", "views": "postgres://user:secret@postgres/chatledger", "publish": "tls://token@nats:4222/chatledger?replicas=3", "media": "s3://bucket/prefix?endpoint=https://host&region=x",
	"access-key-id": "id", "secret-access-key": "key",
}

func TestKubernetes(t *testing.T) {
	type probe struct {
		HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
	}
	type manifest struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Metadata   struct {
			Name   string
			Labels map[string]string
		}
		Spec struct {
			Selector map[string]any
			Replicas int
			Template struct {
				Metadata struct{ Labels map[string]string }
				Spec     struct {
					TerminationGracePeriodSeconds int  `yaml:"terminationGracePeriodSeconds"`
					Automount                     bool `yaml:"automountServiceAccountToken"`
					SecurityContext               struct {
						RunAsNonRoot bool `yaml:"runAsNonRoot"`
						RunAsUser    int  `yaml:"runAsUser"`
					} `yaml:"securityContext"`
					Containers []struct {
						Image string
						Args  []string
						Env   []struct {
							Name, Value string
							ValueFrom   struct {
								SecretKeyRef struct{ Name, Key string } `yaml:"secretKeyRef"`
							} `yaml:"valueFrom"`
						}
						Ports           []struct{ Name string }
						Liveness        probe `yaml:"livenessProbe"`
						Readiness       probe `yaml:"readinessProbe"`
						SecurityContext struct {
							AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
							ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
							Capabilities             struct{ Drop []string }
						} `yaml:"securityContext"`
						VolumeMounts []struct{ Name, MountPath string } `yaml:"volumeMounts"`
					}
					Volumes []struct{ Name string }
				}
			}
			VolumeClaimTemplates []struct{ Metadata struct{ Name string } } `yaml:"volumeClaimTemplates"`
		}
	}
	for _, file := range deployed(t, "kubernetes/*.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var serving []ServeCmd
			for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
				var m manifest
				err := decoder.Decode(&m)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if m.APIVersion == "" || m.Kind == "" || m.Metadata.Name == "" || m.Metadata.Labels["app"] != "chatledger" {
					t.Errorf("%s %s of %q lacks something", m.Kind, m.Metadata.Name, m.APIVersion)
				}
				pod := m.Spec.Template.Spec
				if m.Kind == "StatefulSet" && m.Spec.Replicas != 1 {
					t.Errorf("%d replicas: files have one process", m.Spec.Replicas)
				}
				for _, c := range pod.Containers {
					labels, ok := m.Spec.Selector["matchLabels"].(map[string]any)
					if !ok {
						t.Fatalf("%s selects nothing", m.Metadata.Name)
					}
					for key, value := range labels {
						if m.Spec.Template.Metadata.Labels[key] != value {
							t.Errorf("%s selects %s=%v, which its pods are not", m.Metadata.Name, key, value)
						}
					}
					if !pinned.MatchString(c.Image) {
						t.Errorf("image %s has no version", c.Image)
					}
					sec := c.SecurityContext
					if !pod.SecurityContext.RunAsNonRoot || pod.SecurityContext.RunAsUser != 65532 || pod.Automount || !sec.ReadOnlyRootFilesystem ||
						sec.AllowPrivilegeEscalation == nil || *sec.AllowPrivilegeEscalation || !slices.Equal(sec.Capabilities.Drop, []string{"ALL"}) {
						t.Errorf("%s may do more than it has to", m.Metadata.Name)
					}
					if c.Liveness.HTTPGet.Path != "/healthz" || c.Readiness.HTTPGet.Path != "/readyz" || c.Readiness.HTTPGet.Port != c.Ports[0].Name {
						t.Errorf("%s has probes %+v, %+v", m.Metadata.Name, c.Liveness, c.Readiness)
					}
					if pod.TerminationGracePeriodSeconds <= int(shutdownTime.Seconds()) {
						t.Errorf("%s is killed before it has ended by itself", m.Metadata.Name)
					}
					for _, mount := range c.VolumeMounts {
						if !slices.Contains(pod.Volumes, struct{ Name string }{mount.Name}) &&
							!slices.ContainsFunc(m.Spec.VolumeClaimTemplates, func(v struct{ Metadata struct{ Name string } }) bool { return v.Metadata.Name == mount.Name }) {
							t.Errorf("%s mounts %s, which is not there", m.Metadata.Name, mount.Name)
						}
					}
					env := map[string]string{}
					for _, e := range c.Env {
						example, ok := secrets[e.ValueFrom.SecretKeyRef.Key]
						if e.Value != "" || !ok || !bytes.Contains(text, []byte("--from-literal="+e.ValueFrom.SecretKeyRef.Key+"=")) {
							t.Errorf("%s: %s is no secret that the file says how to make", m.Metadata.Name, e.Name)
						}
						env[e.Name] = example
					}
					serving = append(serving, container{c.Image, c.Args, env}.serves(t))
				}
			}
			everyRole(t, serving)
		})
	}
}

// What the image sets is read by the program, and what the other files rely on.
func TestContainerfile(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(deployFolder, "Containerfile"))
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		switch {
		case len(words) > 1 && words[0] == "FROM" && words[1] != "scratch" && !pinned.MatchString(words[1]):
			t.Errorf("image %s has no version", words[1])
		case len(words) > 1 && words[0] == "ENV":
			for _, w := range words[1:] {
				name, value, _ := strings.Cut(w, "=")
				env[name] = value
			}
		}
	}
	s := container{Args: []string{"serve"}, Env: env}.serves(t)
	if s.Data != "/data" || s.Listen != "0.0.0.0:8080" || !bytes.Contains(text, []byte("USER 65532:65532")) {
		t.Errorf("the image serves %s at %s", s.Data, s.Listen)
	}
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	_, goVersion, _ := strings.Cut(string(mod), "\ngo ")
	if major := strings.Join(strings.SplitN(strings.Fields(goVersion)[0], ".", 3)[:2], "."); !bytes.Contains(text, []byte("FROM golang:"+major+".")) {
		t.Errorf("go.mod wants Go %s, the image is built with another", major)
	}
}
