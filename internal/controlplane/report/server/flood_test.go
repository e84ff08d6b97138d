package server

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
	"github.com/openservicemesh/osm-operator/internal/testing/eventually"
)

// TestInvalidTokensDelayNoKnownReader lets invalid tokens take all reviews of unknown tokens.
func TestInvalidTokensDelayNoKnownReader(t *testing.T) {
	now := moment
	access := (&cluster{}).access(func() time.Time { return now })
	handler := Handler(store{ready: true}, nil, nil, issuer(""), noPeers{}, access)
	const reader = "Bearer reader for report.osm"
	if got := get(handler, report.ProxiesPath, reader); got.Code != http.StatusOK {
		t.Fatalf("the reader gets %d %s", got.Code, got.Body)
	}
	now = now.Add(decisionTTL + time.Second)
	block := make(chan struct{})
	clients := fake.NewClientset()
	clients.PrependReactor("create", "tokenreviews", func(clienttesting.Action) (bool, runtime.Object, error) {
		<-block
		return true, nil, fmt.Errorf("the test has ended")
	})
	access.unknown.clients = clients
	ended := make(chan struct{})
	const flood = 3 * maxReviews
	for i := range flood {
		go func() {
			get(handler, report.ProxiesPath, fmt.Sprintf("Bearer invalid %d", i))
			ended <- struct{}{}
		}()
	}
	eventually.True(t, time.Minute, "invalid tokens take all reviews", func() bool { return len(access.unknown.reviews) == maxReviews })
	got := get(handler, report.ProxiesPath, reader)
	if got.Code != http.StatusOK {
		t.Errorf("the reader gets %d %s during the flood, want 200", got.Code, got.Body)
	}
	close(block)
	for range flood {
		<-ended
	}
}
