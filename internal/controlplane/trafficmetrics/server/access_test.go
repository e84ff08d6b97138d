package server

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// TestAccessWaitsForTheAPIServer starts the server while the API server is away.
func TestAccessWaitsForTheAPIServer(t *testing.T) {
	clients := fake.NewClientset(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: authenticationNamespace, Name: authenticationConfig},
		Data:       map[string]string{"requestheader-username-headers": `["X-Remote-User"]`},
	})
	away := true
	clients.PrependReactor("get", "configmaps", func(clienttesting.Action) (bool, runtime.Object, error) {
		defer func() { away = false }()
		return away, nil, errors.New("connection refused")
	})
	a, err := newAccess(t.Context(), clients, time.Now, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	if headers := a.headers.UsernameHeaders.Value(); len(headers) != 1 {
		t.Errorf("the headers are %q, want those of the API server", headers)
	}
}

// TestRetryUntilRead reads during an outage of ten minutes, in which requests fail or get no answer.
func TestRetryUntilRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		requests := 0
		err := retryUntilRead(t.Context(), func(ctx context.Context) error {
			if requests++; requests%2 == 0 {
				<-ctx.Done()
			}
			if time.Since(began) < 10*time.Minute {
				return errors.New("connection refused")
			}
			return nil
		}, logr.Discard())
		if late := time.Since(began) - 10*time.Minute; err != nil || late > retryInterval+readTimeout {
			t.Errorf("continued %s after the outage: %v", late, err)
		}
	})
}

// TestRetryUntilRead_Stops ends the server while it waits.
func TestRetryUntilRead_Stops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := retryUntilRead(ctx, func(context.Context) error {
		cancel()
		return errors.New("connection refused")
	}, logr.Discard())
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
}
