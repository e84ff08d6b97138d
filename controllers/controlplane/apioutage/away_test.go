package apioutage

import (
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/openservicemesh/osm-operator/internal/testing/envtest"
	"github.com/openservicemesh/osm-operator/internal/testing/fakexds"
)

// long is how long the API server is unavailable. By default the outage is short, and the clock of the control plane is
// advanced by two hours.
var long = flag.Duration("outage.time", 0, "how long the API server is away in real time; 0 puts the clock forward instead")

// absence is the minimum duration of the outage on the control plane's clock. It is longer than the life of a token.
const absence = 2 * time.Hour

// timeout limits waiting for any expected state.
const timeout = time.Minute

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for begun := time.Now(); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Since(begun) > timeout {
			t.Fatalf("waited %s for %s", timeout, what)
		}
	}
}

// TestAPIServerAwayForTwoHours stops and restarts the API server. Sidecars keep their resources, and sidecars of known
// pods can connect. After the restart they receive changed resources only.
func TestAPIServerAwayForTwoHours(t *testing.T) {
	server := envtest.StartServer(t)
	o := create(t, kubernetes.NewForConfigOrDie(server.Config))
	p := start(t, server.Config)
	tokens := map[string]string{}
	for pod := range o.pods {
		tokens[pod] = o.token(t, pod)
	}
	one := p.connect(t, tokens["one"], fakexds.NewEnvoy())
	eventually(t, "the first sidecar is configured", func() bool { return p.configured(one) })
	one.everything()

	server.Stop(t)
	p.wait(t)
	if !p.store.IsReady() {
		t.Error("the control plane is not ready while the API server is unavailable")
	}
	ages := p.ages(t)
	for _, resource := range []string{"namespaces", "serviceaccounts", "pods", "services", "endpointslices.discovery.k8s.io"} {
		if ages[resource] < absence.Seconds() {
			t.Errorf("the age of %s is %.0f s while the API server is unavailable", resource, ages[resource])
		}
	}
	two := p.connect(t, tokens["two"], fakexds.NewEnvoy())
	eventually(t, "a new sidecar of a known pod is configured", func() bool { return p.configured(two) })
	p.rejectForgedToken(t, tokens["web-1"])
	one = p.again(t, one, tokens["one"])
	two.everything()

	server.Restart(t)
	eventually(t, "the API server responds again", func() bool {
		for _, age := range p.ages(t) {
			if age > absence.Seconds()/2 {
				return false
			}
		}
		return true
	})
	if _, err := o.clients.DiscoveryV1().EndpointSlices(namespace).Update(t.Context(), o.slice("web-0", "web-1"), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*sidecar{"the first": one, "the second": two} {
		eventually(t, name+" sidecar receives an endpoint", func() bool { return s.wasSent(fakexds.EndpointType, cluster) })
		eventually(t, "all resources are acknowledged", p.acknowledged)
		if diff := cmp.Diff([]string{fakexds.EndpointType + " " + cluster}, s.everything()); diff != "" {
			t.Errorf("%s sidecar, since the API server was stopped (-want +sent):\n%s", name, diff)
		}
		if why := s.failure(); why != "" {
			t.Errorf("%s sidecar was disconnected: %s", name, why)
		}
	}
}

// wait advances the time by ten minutes.
func (p *plane) wait(t *testing.T) {
	t.Helper()
	if *long > 0 {
		t.Logf("waiting for %s", *long)
		time.Sleep(*long) // a real outage is under test
	}
	p.late.Store(int64(max(absence-*long, 0)))
}

// configured reports whether a sidecar has the route and the endpoints of the Service, and has acknowledged all resources.
func (p *plane) configured(s *sidecar) bool {
	return s.wasSent(fakexds.RouteType, "rds-outbound.80|shop/web") && s.wasSent(fakexds.EndpointType, cluster) && p.acknowledged()
}

func (p *plane) acknowledged() bool {
	for _, proxy := range p.store.Proxies() {
		if !proxy.IsUpToDate() {
			return false
		}
	}
	return true
}

// again reconnects a sidecar with its resources. It must not receive any response.
func (p *plane) again(t *testing.T, s *sidecar, token string) *sidecar {
	t.Helper()
	s.disconnect()
	if sent := s.everything(); len(sent) > 0 {
		t.Errorf("a sidecar received %v while the API server was away", sent)
	}
	eventually(t, "the sidecar is disconnected", func() bool { return len(p.store.Proxies()) == 1 })
	asked := p.requests(t) + float64(len(s.envoy.Open()))
	s = p.connect(t, token, s.envoy)
	eventually(t, "the sidecar is connected again", func() bool { return p.requests(t) >= asked && p.acknowledged() })
	if sent := s.everything(); len(sent) > 0 {
		t.Errorf("a reconnected sidecar received %v", sent)
	}
	return s
}

// rejectForgedToken checks that a modified token is rejected while TokenReview is unavailable.
func (p *plane) rejectForgedToken(t *testing.T, token string) {
	t.Helper()
	cut := strings.LastIndexByte(token, '.')
	s := p.connect(t, token[:cut]+token[:len(token)-cut], fakexds.NewEnvoy())
	eventually(t, "a forged token is rejected", func() bool { return strings.Contains(s.failure(), "Unauthenticated") })
}
