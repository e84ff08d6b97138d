package backoff

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// apiServer is an API server without objects.
type apiServer struct {
	mu sync.Mutex
	// down is the error of all requests; nil while it is reachable.
	down     error
	requests int
	watches  []*watch.FakeWatcher
}

func (s *apiServer) objects() *cache.ListWatch {
	return &cache.ListWatch{
		ListWithContextFunc: func(context.Context, metav1.ListOptions) (runtime.Object, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.requests++
			return &corev1.ConfigMapList{}, s.down
		},
		WatchFuncWithContext: func(context.Context, metav1.ListOptions) (watch.Interface, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.requests++
			if s.down != nil {
				return nil, s.down
			}
			w := watch.NewFake()
			s.watches = append(s.watches, w)
			return w, nil
		},
	}
}

// interrupt ends all watches, and sets the error of requests from now on; nil for none. It returns the number of requests so far.
func (s *apiServer) interrupt(err error) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = err
	for _, w := range s.watches {
		w.Stop()
	}
	return s.requests
}

// counts returns the numbers of requests and of watches so far.
func (s *apiServer) counts() (requests, watches int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests, len(s.watches)
}

var unreachable = &url.Error{Op: "Get", URL: "https://api", Err: syscall.ECONNREFUSED}

// TestNewInformer_ContinuesSoonAfterAnInterruption stops an API server for an hour. Informers of client-go would continue up to a minute after
// its return.
func TestNewInformer_ContinuesSoonAfterAnInterruption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &apiServer{}
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan struct{})
		go func() {
			NewInformer(server.objects(), &corev1.ConfigMap{}, 0, nil).RunWithContext(ctx)
			close(stopped)
		}()
		synctest.Wait()
		before := server.interrupt(unreachable)
		time.Sleep(time.Hour)
		requests, watches := server.counts()
		if n := requests - before; watches != 1 || n < 480 || n > 1000 {
			t.Errorf("%d requests in an hour without an API server, and %d watches; want one every 5 to 7.5 seconds, and one watch before", n, watches)
		}
		server.interrupt(nil)
		time.Sleep(8 * time.Second)
		synctest.Wait()
		if _, watches := server.counts(); watches != 2 {
			t.Errorf("%d watches 8 seconds after the return of the API server, want a second one", watches)
		}
		server.interrupt(unreachable)
		time.Sleep(time.Minute)
		cancel()
		<-stopped // also while the API server is away
	})
}

func TestIsUnreachable(t *testing.T) {
	resource := schema.GroupResource{Resource: "configmaps"}
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"connection refused":  {unreachable, true},
		"unknown certificate": {&url.Error{Op: "Get", Err: errors.New("x509: certificate signed by unknown authority")}, true},
		"unavailable":         {apierrors.NewServiceUnavailable("starting"), true},
		"bad gateway":         {apierrors.NewGenericServerResponse(http.StatusBadGateway, "get", resource, "", "", 0, true), true},
		"too many requests":   {apierrors.NewTooManyRequests("later", 1), false},
		"internal":            {apierrors.NewInternalError(errors.New("bug")), false},
		"forbidden":           {apierrors.NewForbidden(resource, "", nil), false},
		"expired":             {apierrors.NewResourceExpired("too old"), false},
		"not found":           {apierrors.NewNotFound(resource, ""), false},
		"anything else":       {errors.New("wrong type"), false},
	} {
		if got := isUnreachable(test.err); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
