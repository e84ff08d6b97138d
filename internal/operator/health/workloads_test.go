package health

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// proxies returns sidecars of one workload, of which some reject configuration and claim an expired certificate.
func proxies(account, revision string, healthy, failing int) []report.Proxy {
	valid, expired := noon.Add(time.Hour), noon.Add(-time.Hour)
	var list []report.Proxy
	for i := range healthy + failing {
		p := report.Proxy{Namespace: "shop", Pod: account, ServiceAccount: account, Revision: revision, CertificateEnd: &valid}
		if i >= healthy {
			p.CertificateEnd = &expired
			p.Types = map[string]report.Type{"LDS": {Rejection: "no"}}
		}
		list = append(list, p)
	}
	return list
}

// TestOneSidecarDoesNotFailAnUpgrade lets sidecars of a workload reject configuration and claim expired certificates.
func TestOneSidecarDoesNotFailAnUpgrade(t *testing.T) {
	for name, c := range map[string]struct {
		proxies [][]report.Proxy
		want    int
		expired bool
	}{
		"one of three":                     {[][]report.Proxy{proxies("web", "v1", 2, 1)}, 0, false},
		"one of two":                       {[][]report.Proxy{proxies("web", "v1", 1, 1)}, 0, false},
		"two of three":                     {[][]report.Proxy{proxies("web", "v1", 1, 2)}, 2, true},
		"all":                              {[][]report.Proxy{proxies("web", "v1", 0, 3)}, 3, true},
		"the only one":                     {[][]report.Proxy{proxies("web", "v1", 0, 1)}, 1, true},
		"one of each workload":             {[][]report.Proxy{proxies("web", "v1", 2, 1), proxies("db", "v1", 2, 1)}, 0, false},
		"the first pod of a new version":   {[][]report.Proxy{proxies("web", "v1", 9, 0), proxies("web", "v2", 0, 1)}, 1, true},
		"a workload that rejected before":  {[][]report.Proxy{proxies("known", "v1", 0, 3)}, 0, true},
		"two workloads, one of them known": {[][]report.Proxy{proxies("known", "v1", 0, 3), proxies("web", "v1", 0, 2)}, 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			var o Observation
			var all []report.Proxies
			for _, list := range c.proxies {
				all = append(all, report.Proxies{Proxies: list})
			}
			o.setProxies(answers(all...))
			if got := o.Proxies.Accepted([]string{"shop/known"})["shop"]; len(got.Failed) != c.want || got.Sound != (c.want == 0) {
				t.Errorf("%d sidecars count as rejecting, want %d, and the namespace is sound: %t", len(got.Failed), c.want, got.Sound)
			}
			if expired := o.CertificatesUntil["shop"].Before(noon); expired != c.expired {
				t.Errorf("certificates count as expired: %t, want %t", expired, c.expired)
			}
		})
	}
}

// TestPodsCountOnce has pods with two Envoys, at different replicas. The worst of them decides.
func TestPodsCountOnce(t *testing.T) {
	soon := noon.Add(time.Minute)
	serving, starting := proxies("web", "v1", 3, 0), proxies("web", "v1", 1, 2)
	for i := range serving {
		serving[i].UID = string(rune('a' + i))
		starting[i].UID = serving[i].UID
	}
	serving[0].CertificateEnd, starting[0].Types = &soon, map[string]report.Type{"RDS": {Behind: &noon}}
	var o Observation
	o.setProxies(answers(report.Proxies{Proxies: serving}, report.Proxies{Proxies: starting}))
	want := Proxies{
		Connected: 3, Rejecting: 2, Behind: 1, UIDs: map[string]bool{"a": true, "b": true, "c": true}, Namespaces: map[string]int{"shop": 3},
		Rejections: []Rejection{{Workload: "shop/web", Sidecars: []string{"shop/web rejects LDS: no", "shop/web rejects LDS: no"}}},
	}
	if diff := cmp.Diff(want, *o.Proxies); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRejectingWorkloadsAreSortedWithoutDuplicates(t *testing.T) {
	var o Observation
	o.setProxies(answers(report.Proxies{Proxies: append(append(proxies("web", "v2", 0, 1), proxies("web", "v1", 0, 1)...), proxies("db", "v1", 0, 1)...)}))
	if diff := cmp.Diff([]string{"shop/db", "shop/web"}, o.Proxies.RejectingWorkloads()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
