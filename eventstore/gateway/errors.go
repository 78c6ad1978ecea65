package gateway

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/chatledger/chatledger/eventstore"
)

// failure is an error as the protocol tells it: a status, and trailers by which
// clients know what happened.
type failure struct {
	code     codes.Code
	message  string
	trailers map[string]string
}

func (f *failure) Error() string { return f.message }

// GRPCStatus makes gRPC send the failure as it is.
func (f *failure) GRPCStatus() *status.Status { return status.New(f.code, f.message) }

// tell sets the trailers of a call that failed with err, and returns the error to
// answer with. What went wrong inside is logged, not told.
func (s *Server) tell(ctx context.Context, setTrailer func(metadata.MD), err error) error {
	if err == nil {
		return nil
	}
	err = s.translate(ctx, err)
	if f, ok := errors.AsType[*failure](err); ok && len(f.trailers) > 0 {
		setTrailer(metadata.New(f.trailers))
	}
	return err
}

func (s *Server) translate(ctx context.Context, err error) error {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		err = errors.Join(cause, err)
	}
	switch {
	case errors.Is(err, errRevoked):
		return unauthenticated()
	case errors.Is(err, errStopping), errors.Is(err, eventstore.ErrClosed):
		return notReady()
	case errors.Is(err, errTooMany):
		return &failure{code: codes.ResourceExhausted, message: fmt.Sprintf("More than %d reads at the same time.", maxReads)}
	case errors.Is(err, eventstore.ErrInvalid):
		return invalid("%v", err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return status.FromContextError(err).Err()
	}
	// Of gRPC itself, such as a client that went away, or of a log in KurrentDB: whether that
	// lets us in, or where it is, is not for the caller to know.
	switch st, ok := status.FromError(err); {
	case !ok, st.Code() == codes.Unauthenticated, st.Code() == codes.PermissionDenied:
	case st.Code() == codes.Unavailable:
		s.cfg.Logger.Warn("the log cannot be reached by the gateway, or its client has gone", "error", err)
		return notReady()
	default:
		return st.Err()
	}
	s.cfg.Logger.Error("a call of the gateway failed", "error", err)
	return &failure{code: codes.Internal, message: "Internal error; the server's log says more."}
}

func notReady() *failure {
	return &failure{code: codes.Unavailable, message: "Server Is Not Ready"}
}

func invalid(format string, args ...any) *failure {
	return &failure{code: codes.InvalidArgument, message: fmt.Sprintf(format, args...)}
}

func unauthenticated() *failure {
	return &failure{codes.Unauthenticated, "The token is missing, unknown or no longer valid: send it as the password.", map[string]string{
		"exception": "not-authenticated",
	}}
}

func accessDenied() *failure {
	return &failure{codes.PermissionDenied, "Access Denied", map[string]string{"exception": "access-denied"}}
}

func streamDeleted(stream string) *failure {
	return &failure{codes.FailedPrecondition, fmt.Sprintf("Event stream '%s' is deleted.", stream), map[string]string{
		"exception": "stream-deleted", "stream-name": stream,
	}}
}

func wrongVersion(operation, stream string, want expectation, actual eventstore.Revision) *failure {
	return &failure{
		codes.FailedPrecondition,
		fmt.Sprintf("%s failed due to WrongExpectedVersion. Stream: %s, Expected version: %d, Actual version: %d", operation, stream, want.number(), actual),
		map[string]string{
			"exception": "wrong-expected-version", "stream-name": stream,
			"expected-version": strconv.FormatInt(want.number(), 10), "actual-version": strconv.FormatInt(int64(actual), 10),
		},
	}
}

func tooLarge(most int) *failure {
	return &failure{codes.InvalidArgument, fmt.Sprintf("Maximum Append Size of %d Exceeded.", most), map[string]string{
		"exception": "maximum-append-size-exceeded", "maximum-append-size": strconv.Itoa(most),
	}}
}

func missingProperty(name string) *failure {
	return &failure{codes.InvalidArgument, fmt.Sprintf("Required Metadata Property '%s' is missing", name), map[string]string{
		"exception": "missing-required-metadata-property", "required-metadata-properties": "type,content-type",
	}}
}

// trailerOf returns what sets the trailers of a unary call.
func trailerOf(ctx context.Context) func(metadata.MD) {
	return func(md metadata.MD) { _ = grpc.SetTrailer(ctx, md) } // it fails only outside of a call
}
