package main

import (
	"context"
	"errors"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

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

// TestOperatorWaitsForTheAPIServer starts the operator during an outage. It must neither exit nor become ready.
func TestOperatorWaitsForTheAPIServer(t *testing.T) {
	for name, failures := range map[string]int32{"available": 0, "available after a while": 5} {
		t.Run(name, func(t *testing.T) {
			server := &absentServer{}
			server.failures.Store(failures)
			serving := false
			serve := func(ctx context.Context) error {
				serving = true
				<-ctx.Done()
				return nil
			}
			if err := awaitAPIServer(t.Context(), server, serve, time.Millisecond, logr.Discard()); err != nil {
				t.Fatal(err)
			}
			if serving != (failures > 0) {
				t.Errorf("health was served while waiting: %t, want %t", serving, failures > 0)
			}
			if server.failures.Load() >= 0 {
				t.Error("the operator continues although the API server does not answer")
			}
		})
	}
}

// TestWaitingOperatorStops ends the operator, or its health server, while it waits.
func TestWaitingOperatorStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := &absentServer{}
	server.failures.Store(1 << 30)
	serve := func(ctx context.Context) error {
		cancel()
		<-ctx.Done()
		return nil
	}
	if err := awaitAPIServer(ctx, server, serve, time.Millisecond, logr.Discard()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
}

func TestWaitingOperatorIsAliveAndNotReady(t *testing.T) {
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503} {
		recorder := httptest.NewRecorder()
		waitingHandler().ServeHTTP(recorder, httptest.NewRequest("GET", path, nil))
		if recorder.Code != want {
			t.Errorf("%s answers %d, want %d", path, recorder.Code, want)
		}
	}
}
