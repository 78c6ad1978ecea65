package kurrent

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

const maxMessage = 17 << 20 // bytes of one message, as the server's clients have it

// Schemes of connection strings.
var schemes = []string{"esdb://", "esdb+discover://", "kurrentdb://", "kurrentdb+discover://", "kurrent://", "kurrent+discover://"}

// IsConnection reports whether text is a connection string of KurrentDB.
func IsConnection(text string) bool {
	for _, scheme := range schemes {
		if strings.HasPrefix(text, scheme) {
			return true
		}
	}
	return false
}

// Redacted returns a connection string without its password, to be shown.
func Redacted(connection string) string {
	scheme, rest, _ := strings.Cut(connection, "://")
	hidden := ""
	if at := strings.LastIndex(rest, "@"); at >= 0 { // the last: a password may hold any character
		hidden, rest = "…@", rest[at+1:]
	}
	authority, tail := cutAuthority(rest)
	if strings.Contains(tail, "?") { // paths of keys are nobody's business either
		tail, _, _ = strings.Cut(tail, "?")
	}
	return scheme + "://" + hidden + authority + tail
}

// cutAuthority cuts what is behind the scheme of a connection string where the path, the
// settings or a fragment begins.
func cutAuthority(rest string) (authority, tail string) {
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		return rest[:i], rest[i:]
	}
	return rest, ""
}

// parseConnection reads a connection string as the official clients do. Its errors
// never show the password.
func parseConnection(connection string) (*esdb.Configuration, error) {
	if !IsConnection(connection) {
		return nil, fmt.Errorf("kurrent: want esdb://… or kurrentdb://…, not %q", Redacted(connection))
	}
	_, rest, _ := strings.Cut(connection, "://")
	scheme := "esdb"
	if strings.Contains(connection[:len(connection)-len(rest)], "+discover") {
		scheme = "esdb+discover"
	}
	malformed := fmt.Errorf("kurrent: connection string %s: it is not well-formed: in a password write %% as %%25, / as %%2F, ? as %%3F and # as %%23, elsewhere @ as %%40", Redacted(connection))
	// Else the password is taken for settings, and shown in a warning about them.
	if authority, behind := cutAuthority(rest); !strings.Contains(authority, "@") && strings.Contains(behind, "@") {
		return nil, malformed
	}
	cfg, err := esdb.ParseConnectionString(scheme + "://" + rest)
	if err == nil {
		err = cfg.Validate()
	}
	if _, ok := errors.AsType[*url.Error](err); ok { // which shows what is wrong, perhaps of the password
		return nil, malformed
	}
	if err != nil {
		return nil, fmt.Errorf("kurrent: connection string %s: %w", Redacted(connection), err)
	}
	if cfg.DisableTLS && cfg.Password != "" {
		return nil, fmt.Errorf("kurrent: connection string %s: a password is not sent without TLS: leave out tls=false, or the user", Redacted(connection))
	}
	cfg.Logger = nil
	return cfg, nil
}

// nodes finds the node to talk to, and holds the connection to it.
type nodes struct {
	cfg     *esdb.Configuration
	cluster bool          // its nodes are looked for
	looking chan struct{} // holds a token while somebody looks for a node

	mu     sync.Mutex
	conn   *grpc.ClientConn
	old    map[*grpc.ClientConn]*time.Timer // not used for new calls, with what closes them
	closed bool
}

func newNodes(cfg *esdb.Configuration) *nodes {
	return &nodes{
		cfg: cfg, cluster: cfg.DnsDiscover || len(cfg.GossipSeeds) > 0, looking: make(chan struct{}, 1),
		old: map[*grpc.ClientConn]*time.Timer{},
	}
}

func (n *nodes) close() (err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	for conn, later := range n.old {
		if later.Stop() {
			err = errors.Join(err, conn.Close())
		}
	}
	clear(n.old)
	if n.conn != nil {
		err = errors.Join(err, n.conn.Close())
		n.conn = nil
	}
	return err
}

// get returns the connection, and looks for a node first if there is none.
func (n *nodes) get(ctx context.Context) (*grpc.ClientConn, error) {
	if conn, err := n.present(); conn != nil || err != nil {
		return conn, err
	}
	select {
	case n.looking <- struct{}{}:
		defer func() { <-n.looking }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if conn, err := n.present(); conn != nil || err != nil { // somebody else has found one
		return conn, err
	}
	address := n.cfg.Address
	if n.cluster {
		var err error
		if address, err = n.discover(ctx); err != nil {
			return nil, err
		}
	}
	conn, err := n.dial(address)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, errors.Join(errDisconnected, conn.Close())
	}
	n.conn = conn
	return conn, nil
}

var errDisconnected = errors.New("kurrent: the connection is closed")

// present returns the connection, or nil if there is none.
func (n *nodes) present() (*grpc.ClientConn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, errDisconnected
	}
	return n.conn, nil
}

// failed looks at what a call came to. If the node is not the leader, or one of a
// cluster does not answer, the next call goes to another.
func (n *nodes) failed(conn *grpc.ClientConn, trailer metadata.MD, err error) {
	leader := ""
	if first(trailer, "exception") == "not-leader" {
		if host, port := first(trailer, "leader-endpoint-host"), first(trailer, "leader-endpoint-port"); host != "" && port != "" {
			leader = net.JoinHostPort(host, port)
		}
	}
	if leader == "" && (!n.others(strings.TrimPrefix(conn.Target(), resolver)) || status.Code(err) != codes.Unavailable) {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.conn != conn || n.closed {
		return // somebody else was faster
	}
	n.conn = nil
	if leader != "" {
		if next, err := n.dial(leader); err == nil {
			n.conn = next
		}
	}
	// What is still under way on it would be cut off; it ends by itself, or with the
	// process that it belongs to.
	n.old[conn] = time.AfterFunc(answerTime, func() {
		n.mu.Lock()
		delete(n.old, conn)
		n.mu.Unlock()
		_ = conn.Close()
	})
}

// others reports whether there is another node to go to than the one at an address: also
// where one alone was named, if it has sent us on to its leader.
func (n *nodes) others(address string) bool { return n.cluster || address != n.cfg.Address }

const resolver = "passthrough:///" // of addresses: as they are

func first(md metadata.MD, key string) string {
	if values := md.Get(key); len(values) > 0 {
		return values[0]
	}
	return ""
}

// dial makes a connection. It is established when it is first used, and again
// whenever it was lost. A call waits for that, unless there is another node to go to.
func (n *nodes) dial(address string) (*grpc.ClientConn, error) {
	transport := insecure.NewCredentials()
	opts := []grpc.DialOption{
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage), grpc.WaitForReady(!n.others(address))),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: firstPause, Multiplier: 1.6, Jitter: 0.2, MaxDelay: longPause},
			MinConnectTimeout: 5 * time.Second,
		}),
	}
	if !n.cfg.DisableTLS {
		c := &tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: n.cfg.RootCAs,
			InsecureSkipVerify: n.cfg.SkipCertificateVerification, //nolint:gosec // the operator says so: tlsVerifyCert=false
		}
		if n.cfg.UserCertFile != "" {
			pair, err := tls.LoadX509KeyPair(n.cfg.UserCertFile, n.cfg.UserKeyFile)
			if err != nil {
				return nil, fmt.Errorf("kurrent: load user certificate: %w", err)
			}
			c.Certificates = []tls.Certificate{pair}
		}
		transport = credentials.NewTLS(c)
		if n.cfg.Username != "" {
			opts = append(opts, grpc.WithPerRPCCredentials(login("Basic "+base64.StdEncoding.EncodeToString([]byte(n.cfg.Username+":"+n.cfg.Password)))))
		}
	}
	opts = append(opts, grpc.WithTransportCredentials(transport))
	if n.cfg.KeepAliveInterval >= 0 {
		opts = append(opts, grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: n.cfg.KeepAliveInterval, Timeout: n.cfg.KeepAliveTimeout, PermitWithoutStream: true,
		}))
	}
	conn, err := grpc.NewClient(resolver+address, opts...)
	if err != nil {
		return nil, fmt.Errorf("kurrent: connect to %s: %w", address, err)
	}
	return conn, nil
}

// login is a user's name and password, for each call.
type login string

func (l login) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": string(l)}, nil
}

func (login) RequireTransportSecurity() bool { return true }

// discover asks the nodes of a cluster which of them is the one to talk to.
func (n *nodes) discover(ctx context.Context) (string, error) {
	candidates := []string{n.cfg.Address}
	if !n.cfg.DnsDiscover {
		candidates = nil
		for _, seed := range n.cfg.GossipSeeds {
			candidates = append(candidates, net.JoinHostPort(seed.Host, strconv.Itoa(int(seed.Port))))
		}
	}
	//nolint:gosec // to spread the load, nothing is to be kept secret
	rand.Shuffle(len(candidates), func(i, j int) { candidates[i], candidates[j] = candidates[j], candidates[i] })
	var last error
	for range max(n.cfg.MaxDiscoverAttempts, 1) {
		for _, candidate := range candidates {
			address, err := n.ask(ctx, candidate)
			if err == nil {
				return address, nil
			}
			last = fmt.Errorf("%s: %w", candidate, err)
		}
		select {
		case <-ctx.Done():
			return "", errors.Join(ctx.Err(), last)
		case <-time.After(time.Duration(n.cfg.DiscoveryInterval) * time.Millisecond):
		}
	}
	return "", fmt.Errorf("kurrent: no node of the cluster answers: %w", last)
}

// ask reads the gossip of one node and chooses.
func (n *nodes) ask(ctx context.Context, candidate string) (string, error) {
	conn, err := n.dial(candidate)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Duration(max(n.cfg.GossipTimeout, 1))*time.Second)
	defer cancel()
	info, err := gossip.NewGossipClient(conn).Read(ctx, &shared.Empty{}, grpc.WaitForReady(false))
	if err != nil {
		return "", err
	}
	return choose(info.GetMembers(), n.cfg.NodePreference)
}

// choose returns the address of the member that the preference wants; if there is
// none, of another that can serve.
func choose(members []*gossip.MemberInfo, preference esdb.NodePreference) (string, error) {
	preferred := func(s gossip.MemberInfo_VNodeState) bool {
		switch preference {
		case esdb.NodePreferenceLeader:
			return s == gossip.MemberInfo_Leader
		case esdb.NodePreferenceFollower:
			return s == gossip.MemberInfo_Follower
		case esdb.NodePreferenceReadOnlyReplica:
			return s == gossip.MemberInfo_ReadOnlyReplica || s == gossip.MemberInfo_PreReadOnlyReplica || s == gossip.MemberInfo_ReadOnlyLeaderless
		}
		return true
	}
	var able, wanted []*gossip.MemberInfo
	for _, m := range members {
		switch m.GetState() {
		case gossip.MemberInfo_Leader, gossip.MemberInfo_Follower, gossip.MemberInfo_ReadOnlyReplica,
			gossip.MemberInfo_PreReadOnlyReplica, gossip.MemberInfo_ReadOnlyLeaderless:
		default:
			continue
		}
		if !m.GetIsAlive() {
			continue
		}
		able = append(able, m)
		if preferred(m.GetState()) {
			wanted = append(wanted, m)
		}
	}
	if len(wanted) == 0 {
		wanted = able
	}
	if len(wanted) == 0 {
		return "", errors.New("none of its members can serve")
	}
	//nolint:gosec // to spread the load, nothing is to be kept secret
	at := wanted[rand.IntN(len(wanted))].GetHttpEndPoint()
	return net.JoinHostPort(at.GetAddress(), strconv.Itoa(int(at.GetPort()))), nil
}
