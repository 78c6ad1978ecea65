package gateway

import (
	"context"
	"encoding/binary"
	"net"
	"sync/atomic"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/projections"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
)

// What a client asks before it has sent a password: which methods there are, and
// which nodes. Neither says anything of the log.

// protocolVersion is that of the EventStoreDB whose protocol is served. Clients
// choose by it what they dare to call.
const protocolVersion = "24.10.0"

type featuresService struct {
	serverfeatures.UnimplementedServerFeaturesServer
	*Server
}

// GetSupportedMethods implements serverfeatures.ServerFeaturesServer. Names are in
// lower case, as clients compare them. What is not served is answered as not
// implemented, which clients say as such. So the management of persistent
// subscriptions is listed, too: of a server that does not list it clients ask the same
// over the HTTP of old, and say no more than that nobody answers.
func (s *featuresService) GetSupportedMethods(context.Context, *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	const (
		streams = "event_store.client.streams.streams"
		groups  = "event_store.client.persistent_subscriptions.persistentsubscriptions"
	)
	method := func(service, name string, features ...string) *serverfeatures.SupportedMethod {
		return &serverfeatures.SupportedMethod{ServiceName: service, MethodName: name, Features: features}
	}
	return &serverfeatures.SupportedMethods{
		EventStoreServerVersion: protocolVersion,
		Methods: []*serverfeatures.SupportedMethod{
			method(streams, "read", "position", "events"),
			method(streams, "append"),
			method(streams, "batchappend", "deadline_duration"),
			method(streams, "delete"),
			method(streams, "tombstone"),
			method(groups, "getinfo", "stream", "all"),
			method(groups, "list", "stream", "all"),
			method(groups, "replayparked", "stream", "all"),
			method(groups, "restartsubsystem"),
			method("event_store.client.server_features.serverfeatures", "getsupportedmethods"),
			method("event_store.client.gossip.gossip", "read"),
		},
	}, nil
}

type gossipService struct {
	gossip.UnimplementedGossipServer
	*Server
}

// Read implements gossip.GossipServer: a cluster of one, its leader.
func (s *gossipService) Read(ctx context.Context, _ *shared.Empty) (*gossip.ClusterInfo, error) {
	host, port := s.addr.get(ctx)
	return &gossip.ClusterInfo{Members: []*gossip.MemberInfo{{
		InstanceId: &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
			MostSignificantBits:  int64(binary.BigEndian.Uint64(s.id[:8])),
			LeastSignificantBits: int64(binary.BigEndian.Uint64(s.id[8:])),
		}}},
		TimeStamp:    s.cfg.Now().UnixNano() / 100,
		State:        gossip.MemberInfo_Leader,
		IsAlive:      true,
		HttpEndPoint: &gossip.EndPoint{Address: host, Port: port},
	}}}, nil
}

// Persistent subscriptions and projections keep at the server what a client can keep
// itself. They are refused in the way that clients understand.

type persistentService struct {
	persistent.UnimplementedPersistentSubscriptionsServer
}

// Read implements persistent.PersistentSubscriptionsServer. It takes the request
// before it refuses, or clients see no more than a call that is over.
func (persistentService) Read(in persistent.PersistentSubscriptions_ReadServer) error {
	if _, err := in.Recv(); err != nil {
		return err
	}
	return &failure{code: codes.Unimplemented, message: "Persistent subscriptions are not served: subscribe, and keep the checkpoint."}
}

type projectionsService struct {
	projections.UnimplementedProjectionsServer
}

// addr is where the server listens, once it does.
type addr struct{ v atomic.Pointer[net.TCPAddr] }

func (a *addr) set(to net.Addr) {
	if tcp, ok := to.(*net.TCPAddr); ok {
		a.v.Store(tcp)
	}
}

// get returns the address to connect to. One that stands for all of the machine's is no
// use to a client, who is told the one by which he came.
func (a *addr) get(ctx context.Context) (host string, port uint32) {
	tcp := a.v.Load()
	if tcp == nil {
		return "", 0
	}
	if client, ok := peer.FromContext(ctx); ok && tcp.IP.IsUnspecified() {
		if by, ok := client.LocalAddr.(*net.TCPAddr); ok {
			tcp = by
		}
	}
	return tcp.IP.String(), uint32(tcp.Port)
}
