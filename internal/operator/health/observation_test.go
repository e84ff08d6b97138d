package health

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	"github.com/openservicemesh/osm-operator/internal/platform/report/client"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func answers[T any](values ...T) (list []client.Answer[T]) {
	for _, v := range values {
		list = append(list, client.Answer[T]{Replica: "r", Value: v})
	}
	return list
}

func TestProxies(t *testing.T) {
	soon, later := noon.Add(time.Hour), noon.Add(2*time.Hour)
	healthy := report.Proxy{Namespace: "shop", Pod: "web", UID: "1", ServiceAccount: "web", CertificateEnd: &later, Types: map[string]report.Type{"LDS": {}}}
	rejecting := report.Proxy{Namespace: "shop", Pod: "db", UID: "2", ServiceAccount: "db", CertificateEnd: &soon, Types: map[string]report.Type{"LDS": {Rejection: "no such filter"}}}
	var o Observation
	o.setProxies(answers(report.Proxies{Proxies: []report.Proxy{healthy}}, report.Proxies{Proxies: []report.Proxy{rejecting}}))
	want := Observation{
		Proxies: &Proxies{
			Connected: 2, UIDs: map[string]bool{"1": true, "2": true}, Namespaces: map[string]int{"shop": 2}, Rejecting: 1, Rejections: []Rejection{{Workload: "shop/db", Sidecars: []string{"shop/db rejects LDS: no such filter"}}},
		},
		CertificatesUntil: map[string]time.Time{"shop": soon},
	}
	if diff := cmp.Diff(want, o); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUnservedSidecarIsTheExample(t *testing.T) {
	var o Observation
	old := report.Proxy{Namespace: "shop", Pod: "web", UID: "1", Unserved: "its Envoy is 1.38.3"}
	o.setProxies(answers(report.Proxies{Proxies: []report.Proxy{old}}))
	want := &Proxies{Connected: 1, UIDs: map[string]bool{"1": true}, Namespaces: map[string]int{"shop": 1}, Rejecting: 1, Rejections: []Rejection{{Workload: "shop/", Sidecars: []string{"shop/web is not served: its Envoy is 1.38.3"}}}}
	if diff := cmp.Diff(want, o.Proxies); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPartIsAbsentWhenAReplicaDoesNotAnswer(t *testing.T) {
	var o Observation
	o.setProxies(append(answers(report.Proxies{}), client.Answer[report.Proxies]{Replica: "gone", Err: errors.New("no route")}))
	o.Flows = flows(append(answers(report.Loads{}), client.Answer[report.Loads]{Replica: "gone", Err: errors.New("no route")}))
	if diff := cmp.Diff(Observation{}, o); diff != "" {
		t.Errorf("a replica did not answer, but a part is present:\n%s", diff)
	}
}

func TestRequests(t *testing.T) {
	to := func(cluster string, issued, succeeded, failed uint64) report.Load {
		return report.Load{Cluster: cluster, LoadCounts: report.LoadCounts{Issued: issued, Succeeded: succeeded, Failed: failed}}
	}
	flow := func(local bool, issued, failed uint64) []rollout.Flow {
		return []rollout.Flow{{Destination: "shop/web", Local: local, Requests: rollout.Requests{Issued: issued, Failed: failed}}}
	}
	load := func(issued, succeeded, failed uint64) report.Load {
		return to("shop/web|8080", issued, succeeded, failed)
	}
	for name, c := range map[string]struct {
		loads report.Loads
		want  []rollout.Flow
	}{
		"no sidecar has reported":       {report.Loads{Sidecars: 2}, nil},
		"some have not reported":        {report.Loads{Sidecars: 2, Reporting: 1, Loads: []report.Load{load(10, 10, 0)}}, nil},
		"all have reported":             {report.Loads{Sidecars: 2, Reporting: 2, Loads: []report.Load{load(10, 8, 2)}}, flow(false, 10, 2)},
		"there are no sidecars":         {report.Loads{}, []rollout.Flow{}},
		"to the own application":        {report.Loads{Sidecars: 1, Reporting: 1, Loads: []report.Load{to("shop/web|8080|local", 3, 2, 1)}}, flow(true, 3, 1)},
		"probes while a pod starts":     {report.Loads{Sidecars: 1, Reporting: 1, Loads: []report.Load{to("readiness_cluster", 4, 3, 1)}}, []rollout.Flow{}},
		"ended streams":                 {report.Loads{Sidecars: 1, Reporting: 1, Loads: []report.Load{to("osm-controller", 2, 0, 2)}}, []rollout.Flow{}},
		"connections that are not HTTP": {report.Loads{Sidecars: 1, Reporting: 1, Loads: []report.Load{load(10, 0, 0)}}, []rollout.Flow{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, flows(answers(c.loads))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestRolesOfSlots has a pod whose second slot has taken over, and an old connection of that slot.
func TestRolesOfSlots(t *testing.T) {
	pod := []report.Proxy{
		{UID: "a", Slot: "envoy", Epoch: 2, Complete: true}, {UID: "a", Slot: "envoy-standby", Epoch: 1, Complete: true}, {UID: "a", Slot: "envoy-standby", Epoch: 3, Complete: true},
	}
	want := map[string]report.Role{"envoy": report.Draining, "envoy-standby": report.Serving}
	if diff := cmp.Diff(want, rolesOf(pod)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if roles := rolesOf([]report.Proxy{{UID: "a", Epoch: 1}}); roles != nil {
		t.Errorf("a pod without slots has the roles %v", roles)
	}
}
