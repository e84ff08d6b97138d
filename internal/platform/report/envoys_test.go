package report

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func envoy(uid string, epoch uint64, complete bool) Proxy {
	return Proxy{UID: uid, Epoch: epoch, Complete: complete}
}

func TestRoles(t *testing.T) {
	for name, test := range map[string]struct {
		pod  []Proxy
		want []Role
	}{
		"one that starts":                    {[]Proxy{envoy("a", 0, false)}, []Role{Serving}},
		"one of a replica before v0.5":       {[]Proxy{envoy("a", 0, false)}, []Role{Serving}},
		"the second starts":                  {[]Proxy{envoy("a", 1, true), envoy("a", 2, false)}, []Role{Serving, Starting}},
		"the second has taken over":          {[]Proxy{envoy("a", 1, true), envoy("a", 2, true)}, []Role{Draining, Serving}},
		"in any order":                       {[]Proxy{envoy("a", 2, true), envoy("a", 1, true)}, []Role{Serving, Draining}},
		"both have just connected":           {[]Proxy{envoy("a", 1, false), envoy("a", 2, false)}, []Role{Serving, Starting}},
		"an old connection at two replicas":  {[]Proxy{envoy("a", 1, true), envoy("a", 1, false)}, []Role{Serving, Serving}},
		"the earlier one connects once more": {[]Proxy{envoy("a", 1, false), envoy("a", 2, true)}, []Role{Draining, Serving}},
	} {
		var got []Role
		for _, p := range test.pod {
			got = append(got, RoleOf(p, test.pod))
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestCountPods counts pods by the worst of their Envoys. Proxies without a UID are pods of their own.
func TestCountPods(t *testing.T) {
	behind, rejecting := envoy("b", 2, false), envoy("c", 2, false)
	behind.Types = map[string]Type{"CDS": {Behind: &time.Time{}}}
	rejecting.Types = map[string]Type{"CDS": {Rejection: "no"}}
	got := CountPods([]Proxy{envoy("a", 1, true), envoy("b", 1, true), behind, rejecting, envoy("c", 1, true), {}, {}, envoy("a", 2, true)})
	if diff := cmp.Diff(Counts{Connected: 5, UpToDate: 3, Behind: 1, Rejecting: 1}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
