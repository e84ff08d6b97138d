package tokenlimit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apiserver/pkg/authentication/authenticator"

	"github.com/openservicemesh/osm-operator/internal/platform/tokenlimit"
)

// server accepts the token "good" while it is not away, and counts requests.
type server struct {
	requests atomic.Int64
	away     atomic.Bool
}

func (s *server) AuthenticateRequest(r *http.Request) (*authenticator.Response, bool, error) {
	s.requests.Add(1)
	if s.away.Load() || r.Header.Get("Authorization") == "Bearer forged" {
		return nil, false, errors.New("rejected")
	}
	return &authenticator.Response{}, r.Header.Get("Authorization") != "Bearer bad", nil
}

func authenticate(ctx context.Context, to authenticator.Request, token string) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://server/", nil)
	if err != nil {
		return false
	}
	r.Header.Set("Authorization", "Bearer "+token)
	_, ok, err := to.AuthenticateRequest(r)
	return ok && err == nil
}

// TestInvalidTokensAreReviewedOnce repeats invalid tokens, of which the API server rejects one with an error, and sends a long one.
func TestInvalidTokensAreReviewedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		limited := tokenlimit.New(s, time.Now)
		for range 100 {
			if authenticate(t.Context(), limited, "bad") || authenticate(t.Context(), limited, "forged") {
				t.Fatal("an invalid token is accepted")
			}
		}
		if authenticate(t.Context(), limited, strings.Repeat("x", 20<<10)) {
			t.Error("a long token is accepted")
		}
		if n := s.requests.Load(); n != 2 {
			t.Errorf("%d reviews, want one for each token", n)
		}
		time.Sleep(11 * time.Second)
		if authenticate(t.Context(), limited, "bad"); s.requests.Load() != 3 {
			t.Errorf("%d reviews after ten seconds, want another one", s.requests.Load())
		}
	})
}

// TestKnownTokensSurviveAnOutage rejects a known token while the API server is away, and not for longer.
func TestKnownTokensSurviveAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		limited := tokenlimit.New(s, time.Now)
		before := authenticate(t.Context(), limited, "good")
		time.Sleep(time.Minute)
		s.away.Store(true)
		during := authenticate(t.Context(), limited, "good")
		s.away.Store(false)
		if after := authenticate(t.Context(), limited, "good"); !before || during || !after {
			t.Errorf("accepted %t before, %t during and %t after the outage", before, during, after)
		}
	})
}

// TestUnknownTokensDelayNoKnownOne floods the server with tokens that it has never seen.
func TestUnknownTokensDelayNoKnownOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		limited := tokenlimit.New(s, time.Now)
		if !authenticate(t.Context(), limited, "good") {
			t.Fatal("a valid token is rejected")
		}
		time.Sleep(time.Minute)
		before := s.requests.Load()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for i := range 5000 {
			go func() {
				for j := 0; ctx.Err() == nil; j++ {
					authenticate(ctx, limited, fmt.Sprintf("unknown %d %d", i, j))
					time.Sleep(time.Second)
				}
			}()
		}
		time.Sleep(3 * time.Second)
		began := time.Now()
		if !authenticate(ctx, limited, "good") || time.Since(began) > 0 {
			t.Errorf("the known token waits %s", time.Since(began))
		}
		<-ctx.Done()
		time.Sleep(2 * time.Second)
		if caused := s.requests.Load() - before - 1; caused > 20+10*10 || caused < 100 {
			t.Errorf("the flood caused %d reviews in ten seconds, want about 120", caused)
		}
	})
}
