package web

import (
	"container/list"
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// ErrToken is what Authenticate returns for a secret that is unknown, expired
// or revoked.
var ErrToken = errors.New("web: invalid token")

// authenticate returns who makes the request. Who fails too often is told to
// wait; a valid token is never refused for the failures of others, since they
// may share an address with it.
func (a *API) authenticate(r *http.Request) (p Principal, secret string, err error) {
	secret, problem := bearerToken(r.Header.Values("Authorization"))
	if problem == nil {
		p, err = a.config.Authenticate(r.Context(), secret)
		switch {
		case err == nil:
			recordOf(r.Context()).principal = p
			if wait := a.tokens.take(p.TokenID, a.config.Now()); wait > 0 {
				return p, "", NewProblem(http.StatusTooManyRequests, CodeRateLimited, "too many requests with this token").with("Retry-After", seconds(wait))
			}
			return p, secret, nil
		case !errors.Is(err, ErrToken):
			return p, "", err
		}
		problem = NewProblem(http.StatusUnauthorized, CodeTokenInvalid, "the token is unknown, expired or revoked").
			with("WWW-Authenticate", `Bearer realm="chatledger", error="invalid_token"`)
	}
	if wait := a.failures.take(remoteHost(r), a.config.Now()); wait > 0 {
		problem = NewProblem(http.StatusTooManyRequests, CodeFailures, "too many requests without a valid token").with("Retry-After", seconds(wait))
	}
	return p, "", problem
}

func bearerToken(headers []string) (string, *Problem) {
	if len(headers) == 1 {
		scheme, secret, _ := strings.Cut(headers[0], " ")
		secret = strings.TrimSpace(secret)
		if strings.EqualFold(scheme, "Bearer") && secret != "" && len(secret) <= 512 {
			return secret, nil
		}
	}
	return "", NewProblem(http.StatusUnauthorized, CodeTokenMissing, "send the header Authorization: Bearer and a token").
		with("WWW-Authenticate", `Bearer realm="chatledger"`)
}

func (a *API) authorize(route Route, p Principal) error {
	if slices.Contains(route.Roles, p.Role) {
		return nil
	}
	needs := "the role " + roleNames(route.Roles)
	if len(route.Roles) > 1 {
		needs = "one of the roles " + roleNames(route.Roles)
	}
	return NewProblem(http.StatusForbidden, CodeForbidden, "this needs "+needs+"; the token has the role "+string(p.Role))
}

// Recheck returns an error that matches ErrToken once the token of the request
// is no longer valid: for answers that go on and on.
func (r *Request) Recheck(ctx context.Context) error {
	p, err := r.authenticate(ctx, r.secret)
	if err == nil && p != r.Principal {
		return ErrToken // it is somebody else's now, or has another role
	}
	return err
}

func remoteHost(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// limiter gives each key its own allowance. It remembers the keys used last.
type limiter struct {
	rate  rate.Limit
	burst int
	max   int

	mu    sync.Mutex
	keys  map[string]*list.Element // of *allowance
	order list.List                // front: used last
}

type allowance struct {
	key string
	*rate.Limiter
}

func newLimiter(perSecond float64, burst, keys int) *limiter {
	return &limiter{rate: rate.Limit(perSecond), burst: burst, max: keys, keys: map[string]*list.Element{}}
}

// take uses one of key's allowance. If there is none left it returns how long
// to wait, and takes nothing.
func (l *limiter) take(key string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.keys[key]
	if !ok {
		if l.order.Len() >= l.max {
			delete(l.keys, l.order.Remove(l.order.Back()).(*allowance).key)
		}
		e = l.order.PushFront(&allowance{key, rate.NewLimiter(l.rate, l.burst)})
		l.keys[key] = e
	}
	l.order.MoveToFront(e)
	r := e.Value.(*allowance).ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}
