package rotation

import (
	"strings"
	"testing"
	"time"
)

// A rotation waits for everything in other namespaces, and for nothing in those that it excepts.
func TestExcept(t *testing.T) {
	blocked := func(namespace string) Observed {
		return observed(both, newRoot, func(o *Observed) {
			o.Namespaces = []string{namespace}
			o.Sidecars = []string{namespace + "/cut", "shop/web"}
			o.Replicas[0].Proxies = append(o.Replicas[0].Proxies,
				Proxy{Name: namespace + "/stopped", UsesCertificates: true}, Proxy{Name: namespace + "/new", Since: noon.Add(-time.Second)})
		})
	}
	for namespace, waiting := range map[string]int{"hostile": 0, "hostile-2": 4} {
		o := blocked(namespace)
		o.Except([]string{"hostile", "other"}, nil)
		decision := Decide(o)
		if len(decision.Waiting) != waiting || (decision.Phase == Switching) != (waiting == 0) {
			t.Errorf("%s: %s waits for %q, want %d", namespace, decision.Phase, decision.Waiting, waiting)
		}
	}
	o := blocked("hostile")
	o.Replicas[0].Proxies[0].Synced = false
	o.Except([]string{"hostile"}, []string{"west"})
	if decision := Decide(o); len(decision.Waiting) != 1 || !strings.Contains(decision.Waiting[0], "shop/web has not acknowledged") {
		t.Errorf("it waits for %q, want the sidecar of another namespace", decision.Waiting)
	}
}

// A rotation waits for every peer except those that are named.
func TestExceptPeers(t *testing.T) {
	for excepted, waiting := range map[string]string{"east": "", "west": "the peer east is away", "": "the peer east is away"} {
		o := observed(both, newRoot, func(o *Observed) { o.Peers = []Peer{{Name: "east", Problem: "is away"}} })
		o.Except(nil, []string{excepted})
		decision := Decide(o)
		if got := strings.Join(decision.Waiting, "; "); !strings.HasPrefix(got, waiting) || (decision.Phase == Switching) != (waiting == "") {
			t.Errorf("without %q: %s waits for %q, want %q", excepted, decision.Phase, got, waiting)
		}
	}
}
