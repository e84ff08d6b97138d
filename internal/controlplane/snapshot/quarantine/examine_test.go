package quarantine

import (
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// isExamined reports whether a resource was examined, and no policy is its cause.
func (h *harness) isExamined(key scope.Key, name string) bool {
	s := h.scopes[key]
	if s == nil {
		return false
	}
	_, examined := s.unresolved[resourceID{resourcetype.Routes, name}]
	return examined
}

// rejectIn rejects a resource of a scope.
func (h *harness) rejectIn(key scope.Key, name string) {
	h.HandleNACK(key, RejectedResource{Type: resourcetype.Routes, Name: name}, Proxy{Pod: entity.Name{Namespace: "a", Name: "one"}})
}

// TestNACKsOfOneResource checks which NACKs are about the same resource, and that each proxy counts once.
func TestNACKsOfOneResource(t *testing.T) {
	h := newHarness(3)
	proxy := Proxy{Pod: entity.Name{Namespace: "a", Name: "one"}}
	resources := []RejectedResource{
		{Type: resourcetype.Routes, Name: "r"}, {Type: resourcetype.Routes, Name: "s"}, {Type: resourcetype.Clusters, Name: "r"}, {Type: resourcetype.Routes, Name: "r", Hash: resource.Reserved(1)},
	}
	for range 2 {
		for _, r := range resources {
			h.HandleNACK(scope.Key{}, r, proxy)
		}
	}
	if got := h.waiting(); got != len(resources) || h.isExamined(scope.Key{}, "r") {
		t.Errorf("%d resources wait, want %d; one proxy of three decides: %t", got, len(resources), h.isExamined(scope.Key{}, "r"))
	}
	if len(h.timers) != 1 {
		t.Errorf("%d timers for one scope, want 1", len(h.timers))
	}
	if h.fire(time.Second); len(h.timers) != 1 {
		t.Errorf("%d timers while it waits, want 1", len(h.timers))
	}
	h.HandleNACK(scope.Key{}, resources[0], Proxy{Pod: proxy.Pod, Epoch: 1})
	if !h.isExamined(scope.Key{}, "r") {
		t.Error("two proxies of three do not decide")
	}
}

// TestOneExaminationAfterTheOther checks the pause between two examinations, and that what is outdated is not examined.
func TestOneExaminationAfterTheOther(t *testing.T) {
	h := newHarness(1)
	for _, name := range []string{"r", "s", "t", "u"} {
		h.reject(name, "one")
	}
	if !h.isExamined(scope.Key{}, "r") || h.isExamined(scope.Key{}, "s") || h.waiting() != 3 {
		t.Errorf("%d resources wait for the first examination, want 3", h.waiting())
	}
	h.outdated["s"] = true
	if h.reject("v", "one"); h.waiting() != 3 {
		t.Errorf("%d resources wait without the outdated one, want 3", h.waiting())
	}
	h.outdated["t"] = true
	h.fire(examineInterval)
	if !h.isExamined(scope.Key{}, "u") || h.isExamined(scope.Key{}, "t") || h.waiting() != 1 {
		t.Errorf("%d resources wait for the second examination, want 1", h.waiting())
	}
}

// TestMinorityIsNotAskedAgain checks when a resource that few proxies reject is decided again.
func TestMinorityIsNotAskedAgain(t *testing.T) {
	h := newHarness(3)
	h.accepted = 2
	h.Reconsider(scope.Key{})
	h.reject("r", "one")
	if len(h.timers) > 0 {
		t.Errorf("%d timers after a decision", len(h.timers))
	}
	h.proxies, h.accepted = 1, 0
	h.reject("s", "one")
	if h.isExamined(scope.Key{}, "r") || !h.isExamined(scope.Key{}, "s") {
		t.Error("a NACK of another resource decides")
	}
	h.fire(examineInterval)
	if h.isExamined(scope.Key{}, "r") {
		t.Error("time decides")
	}
	if h.Reconsider(scope.Key{}); !h.isExamined(scope.Key{}, "r") {
		t.Error("a change of the proxies does not decide")
	}
}

// TestClosedScopesAreForgotten checks that timers of closed scopes do nothing, and what is left of a scope.
func TestClosedScopesAreForgotten(t *testing.T) {
	h := newHarness(10)
	h.reject("r", "one")
	h.CloseScope(scope.Key{})
	h.CloseScope(scope.Key{Services: "a/unknown"})
	h.DropScope(scope.Key{Services: "a/unknown"})
	if h.fire(answerTimeout); len(h.scopes) > 0 {
		t.Error("a closed scope is known")
	}
	h.reject("r", "one")
	h.outdated["r"] = true
	if h.fire(time.Second); len(h.scopes) > 0 {
		t.Error("a scope with an outdated resource is known")
	}
	h.removeIfEmpty(scope.Key{Services: "a/unknown"})
	h.Add(Rejection{Policy: policy})
	if h.Release(scope.Key{}, policy); len(h.scopes) > 0 {
		t.Error("a scope without its only policy is known")
	}
	h.proxies = 1
	policies := h.policies
	h.policies = nil
	h.reject("s", "one")
	if h.CloseScope(scope.Key{}); len(h.scopes) != 1 {
		t.Error("a scope without policies is forgotten during a pause")
	}
	if h.fire(examineInterval); len(h.scopes) > 0 {
		t.Error("a scope without policies is known after a pause")
	}
	h.policies = policies
	h.reject("s", "one")
	if h.CloseScope(scope.Key{}); len(h.scopes) != 1 {
		t.Error("a scope is forgotten during a pause")
	}
	if h.fire(examineInterval); len(h.scopes) != 1 || !h.isExamined(scope.Key{}, "s") {
		t.Error("a closed scope forgets what no policy causes")
	}
	if h.DropScope(scope.Key{}); len(h.scopes) > 0 {
		t.Error("a dropped scope is known")
	}
}

// TestTimeOfExaminations checks that sidecars wait after long examinations of their namespace, and gateways do not.
func TestTimeOfExaminations(t *testing.T) {
	account := identity.ServiceAccount{Namespace: "a", Name: "x"}
	first, second, gateway := scope.Key{Identity: account}, scope.Key{Identity: account, Services: "a/s"}, scope.Key{Identity: account, Proxy: scope.ProxyIngressGateway}
	h := newHarness(1)
	h.trial = func() { h.now = h.now.Add(time.Second) }
	h.rejectIn(gateway, "r")
	h.trial = func() { h.now = h.now.Add(2 * examinationBurst) }
	h.rejectIn(first, "r")
	h.trial = func() {}
	if !h.isExamined(gateway, "r") || !h.isExamined(first, "r") {
		t.Error("a sidecar waits because of a gateway")
	}
	h.rejectIn(second, "r")
	h.rejectIn(gateway, "s")
	h.fire(examineInterval)
	if h.isExamined(second, "r") || !h.isExamined(gateway, "s") {
		t.Errorf("a sidecar waits: %t, and a gateway: %t", !h.isExamined(second, "r"), !h.isExamined(gateway, "s"))
	}
	if h.fire(examinationWait); !h.isExamined(second, "r") {
		t.Error("a sidecar waits for ever")
	}
	if h.Prune(); h.shares.Used("a", h.now) != 0 {
		t.Errorf("%s are used after a wait", h.shares.Used("a", h.now))
	}
}

// TestPoliciesAreTriedAgain checks that another quarantined policy makes the trials of a resource that waits void.
func TestPoliciesAreTriedAgain(t *testing.T) {
	h := newHarness(10)
	h.reject("r", "one")
	n := h.scopes[scope.Key{}].pending[0]
	n.recordTrial(policyRecord{ref: policy})
	if h.Add(Rejection{Policy: policy}); len(n.tried) > 0 {
		t.Errorf("%v were tried", n.tried)
	}
}

// TestDecide checks who decides about a resource, and for how long others may answer.
func TestDecide(t *testing.T) {
	for name, test := range map[string]struct {
		rejected, accepted, pending int
		since                       time.Duration
		decided, reject             bool
	}{
		"most reject":                       {2, 0, 1, 0, true, true},
		"most reject, of those who answer":  {1, 0, 1, 0, false, false},
		"they had time":                     {1, 0, 1, answerTimeout, true, true},
		"they have had time soon":           {1, 0, 1, answerTimeout - 1, false, false},
		"as many accept":                    {1, 1, 0, 0, true, false},
		"as many accept, others may reject": {1, 1, 1, 0, false, false},
		"as many accept as may reject":      {1, 2, 1, 0, false, false},
		"more accept than may reject":       {1, 3, 1, 0, true, false},
	} {
		h := newHarness(test.rejected + test.accepted + test.pending)
		h.accepted = test.accepted
		decided, reject := h.decide(scope.Key{}, &nack{proxies: make([]Proxy, test.rejected), at: h.now.Add(-test.since)})
		if decided != test.decided || reject != test.reject {
			t.Errorf("%s: decided is %t, and rejected %t", name, decided, reject)
		}
	}
}
