package gateway

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"

	"google.golang.org/grpc/metadata"

	"github.com/chatledger/chatledger/eventstore"
)

// caller is who makes a call.
type caller struct {
	Rights
	secret string
}

// who authenticates a call. Clients of EventStoreDB send a user's name and password;
// the password is the token, and the name can be any. A bearer token is taken too.
func (s *Server) who(ctx context.Context) (caller, error) {
	secret := ""
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		for _, header := range md.Get("authorization") {
			scheme, value, _ := strings.Cut(header, " ")
			switch strings.ToLower(scheme) {
			case "basic":
				pair, err := base64.StdEncoding.DecodeString(value)
				if err != nil {
					return caller{}, unauthenticated()
				}
				_, secret, _ = strings.Cut(string(pair), ":")
			case "bearer":
				secret = value
			}
		}
	}
	if secret == "" {
		return caller{}, unauthenticated()
	}
	rights, err := s.cfg.Authenticate(ctx, secret)
	switch {
	case errors.Is(err, ErrUnauthenticated):
		return caller{}, unauthenticated()
	case errors.Is(err, ErrForbidden):
		return caller{}, accessDenied()
	}
	rights.Append = rights.Append && s.cfg.Appends
	return caller{rights, secret}, err
}

// sees reports whether the caller may be shown an event.
func (c caller) sees(r *eventstore.Recorded) bool {
	if c.Workspace == "" {
		return true
	}
	m, err := eventstore.DecodeMetadata(*r)
	return err == nil && m.Workspace == c.Workspace
}
