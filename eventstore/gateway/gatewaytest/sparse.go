package gatewaytest

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/chatledger/chatledger/eventstore"
	"github.com/chatledger/chatledger/eventstore/eventstoretest"
)

// Sparse makes a store of another one whose positions have holes, and which refuses to
// read from where no event is, in the words of KurrentDB (in its KurrentDB.Core,
// Enumerator.AllSubscriptionFiltered and ReadAllForwardsFiltered, and RpcExceptions):
// those of a subscription are others than those of a read.
func Sparse(s eventstore.Store) eventstore.Store {
	return eventstoretest.Sparse(s, func(follow bool) error {
		if follow {
			return status.Error(codes.InvalidArgument, "Trying to read from an invalid position.")
		}
		return status.Error(codes.Unknown, "Unexpected FilteredReadAllResult: InvalidPosition")
	})
}
