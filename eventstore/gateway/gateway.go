// Package gateway serves a log over the gRPC protocol of EventStoreDB and
// KurrentDB, so that their clients can read streams, read and subscribe to $all,
// and follow categories and event types.
//
// It reads any eventstore.Store and writes to none, unless it is told to for a test:
// the log is written by commands. Who may read what is Rights, which Authenticate
// gives for the password that a client sends.
//
// The protocol is that of the .proto files in github.com/EventStore/EventStore-Client-Go,
// with what only the server's source tells (github.com/kurrent-io/KurrentDB,
// src/KurrentDB.Core/Services/Transport): which trailers an error has, from where a
// read begins, when a subscription sends a checkpoint.
package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/projections"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/chatledger/chatledger/eventstore"
)

// Rights say what a caller may do.
type Rights struct {
	Workspace string // whose events are shown; those of all workspaces if it is empty
	Append    bool   // write, delete and set metadata too; only where Config.Appends is set
}

// ErrUnauthenticated is what Config.Authenticate returns for a secret that nobody has,
// and ErrForbidden for one whose bearer may not read the log.
var (
	ErrUnauthenticated = errors.New("gateway: no such secret")
	ErrForbidden       = errors.New("gateway: may not read the log")
)

// Config says what is served, and to whom. All fields but Appends are needed.
type Config struct {
	Store        eventstore.Store
	Authenticate func(ctx context.Context, secret string) (Rights, error)
	TLS          *tls.Config
	Now          func() time.Time
	Logger       *slog.Logger

	// Appends makes it a server that tests can write to: streams can be appended
	// to, deleted and given metadata, and system streams are shown.
	Appends bool
}

// Bounds of one server.
const (
	maxReads     = 1_000            // reads and subscriptions at the same time
	maxStreams   = 250              // calls at the same time on one connection
	maxMessage   = 17 << 20         // bytes of one message: what clients take
	maxRequest   = 1 << 20          // bytes of a request that appends nothing
	callTime     = 30 * time.Second // for a call that is no read
	recheckEvery = 30 * time.Second // how soon a subscription ends whose token was revoked
	drainTime    = 2 * time.Second  // for calls under way at the end
)

// Server serves a log. Make one with New.
type Server struct {
	cfg  Config
	grpc *grpc.Server
	id   uuid.UUID
	open *readers
	addr addr
}

// New returns a server of the log in cfg.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, id: uuid.New(), open: newReaders(maxReads)}
	takes := maxRequest
	if cfg.Appends {
		takes = maxMessage
	}
	s.grpc = grpc.NewServer(
		grpc.Creds(credentials.NewTLS(cfg.TLS)),
		grpc.ForceServerCodecV2(codec{}),
		grpc.MaxRecvMsgSize(takes), grpc.MaxSendMsgSize(maxMessage),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.ConnectionTimeout(10*time.Second),
		// Clients ping every ten seconds, and are not to be thrown out for it.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 20 * time.Second}),
		grpc.ChainUnaryInterceptor(s.boundCall),
	)
	streams.RegisterStreamsServer(s.grpc, &streamsService{Server: s})
	serverfeatures.RegisterServerFeaturesServer(s.grpc, &featuresService{Server: s})
	gossip.RegisterGossipServer(s.grpc, &gossipService{Server: s})
	persistent.RegisterPersistentSubscriptionsServer(s.grpc, persistentService{})
	projections.RegisterProjectionsServer(s.grpc, projectionsService{})
	return s
}

// Serve answers on listener until ctx ends, then closes it. Subscriptions are ended
// as unavailable, so that clients connect again.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	s.addr.set(listener.Addr())
	checking, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.open.recheck(checking, recheckEvery, func(ctx context.Context, secret string) error {
			_, err := s.cfg.Authenticate(ctx, secret)
			return err
		})
		s.open.end()
		halt := time.AfterFunc(drainTime, s.grpc.Stop)
		defer halt.Stop()
		s.grpc.GracefulStop()
	}()
	err := s.grpc.Serve(listener)
	stop()
	<-ended
	if errors.Is(err, grpc.ErrServerStopped) || ctx.Err() != nil {
		return nil
	}
	return err
}

func (s *Server) boundCall(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return handle(ctx, req)
}
