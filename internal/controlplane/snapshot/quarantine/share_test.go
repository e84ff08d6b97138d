package quarantine

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/openservicemesh/osm-operator/internal/controlplane/snapshot/resource"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/resourcetype"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

// slowScopes has scopes whose trials take time.
type slowScopes struct {
	fakeScopes
	now *time.Time
	// spent is the time of trials by namespace.
	spent map[string]time.Duration
}

func (s *slowScopes) HashWithout(key scope.Key, _ map[entity.Ref]struct{}, _ resourcetype.Type, _ string) (resource.Version, bool) {
	const trial = 30 * time.Millisecond
	*s.now = s.now.Add(trial)
	s.spent[key.Identity.Namespace] += trial
	return resource.Version{}, true
}

// TestRejectionsOfOneNamespaceLeaveTimeForOthers lets sidecars of 100 accounts of one namespace reject all that they get for a minute. The goroutine that examines
// this pushes the configuration of all others too.
func TestRejectionsOfOneNamespaceLeaveTimeForOthers(t *testing.T) {
	type timer struct {
		at time.Time
		f  func()
	}
	var timers []timer
	began := time.Unix(1_800_000_000, 0)
	now := began
	scopes := &slowScopes{fakeScopes: fakeScopes{proxies: 1}, now: &now, spent: map[string]time.Duration{}}
	q := New(Config{
		Scopes: scopes, Log: logr.Discard(), Metrics: prometheus.NewRegistry(), Now: func() time.Time { return now },
		RunAfter: func(after time.Duration, f func()) { timers = append(timers, timer{now.Add(after), f}) },
	})
	for i := range 16 {
		ref := entity.Ref{Kind: entity.KindTrafficTarget, Name: entity.Name{Namespace: "a", Name: fmt.Sprint(i)}}
		scopes.policies = append(scopes.policies, ref)
		q.RecordChange(catalog.Change{Ref: ref, Entry: &catalog.TrafficTarget{Name: ref.Name}})
	}
	q.MarkSynced(now)
	reject := func(namespace, account, name string) {
		q.HandleNACK(scope.Key{Identity: identity.ServiceAccount{Namespace: namespace, Name: account}},
			RejectedResource{Type: resourcetype.Routes, Name: name}, Proxy{Pod: entity.Name{Namespace: namespace, Name: account}})
	}
	for round := 0; now.Sub(began) < time.Minute; round++ {
		if round%10 == 0 {
			for account := range 100 {
				reject("hostile", fmt.Sprint(account), fmt.Sprint(round))
			}
		}
		now = now.Add(50 * time.Millisecond)
		due := timers
		timers = nil
		for _, x := range due {
			if x.at.After(now) {
				timers = append(timers, x)
			} else {
				x.f()
			}
		}
	}
	if spent := scopes.spent["hostile"]; spent < 3*time.Second || spent > 7*time.Second {
		t.Errorf("sidecars of one namespace used %v of a minute, want about a tenth", spent)
	}
	if reject("other", "one", "r"); scopes.spent["other"] == 0 {
		t.Error("the rejection of another namespace waits")
	}
}
