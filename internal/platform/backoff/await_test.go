package backoff

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/go-logr/logr"
	apiversion "k8s.io/apimachinery/pkg/version"
)

// absentServer answers after some failures.
type absentServer struct{ failures atomic.Int32 }

func (s *absentServer) ServerVersion() (*apiversion.Info, error) {
	if s.failures.Add(-1) >= 0 {
		return nil, errors.New("connection refused")
	}
	return &apiversion.Info{}, nil
}

// TestAwaitAPIServer starts a program during an outage. It must neither exit nor become ready.
func TestAwaitAPIServer(t *testing.T) {
	for name, failures := range map[string]int32{"available": 0, "available after a while": 5} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &absentServer{}
				server.failures.Store(failures)
				serving := false
				serve := func(ctx context.Context) error {
					serving = true
					<-ctx.Done()
					return nil
				}
				if err := AwaitAPIServer(t.Context(), server, serve, logr.Discard()); err != nil {
					t.Fatal(err)
				}
				if serving != (failures > 0) {
					t.Errorf("health was served while waiting: %t, want %t", serving, failures > 0)
				}
				if server.failures.Load() >= 0 {
					t.Error("the program continues although the API server does not answer")
				}
			})
		})
	}
}

// TestAwaitAPIServer_Stops ends the program while it waits.
func TestAwaitAPIServer_Stops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := &absentServer{}
	server.failures.Store(1 << 30)
	serve := func(ctx context.Context) error {
		cancel()
		<-ctx.Done()
		return nil
	}
	if err := AwaitAPIServer(ctx, server, serve, logr.Discard()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
}
