package cli

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
	reportclient "github.com/openservicemesh/osm-operator/internal/platform/report/client"
)

// TestBothEnvoysOfAPodAreListed has a pod whose Envoys are connected to different replicas. A pod with one has no role.
func TestBothEnvoysOfAPodAreListed(t *testing.T) {
	envoy := func(pod string, epoch uint64) report.Proxy {
		return report.Proxy{Namespace: "shop", Pod: pod, UID: pod, Epoch: epoch, Complete: true}
	}
	found, problems := connectedSidecars([]reportclient.Answer[report.Proxies]{
		{Replica: "one", Value: report.Proxies{Proxies: []report.Proxy{envoy("web", 1), envoy("db", 0)}}},
		{Replica: "two", Value: report.Proxies{Proxies: []report.Proxy{envoy("web", 2)}}},
	}, "")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var got []string
	for _, one := range found {
		got = append(got, one.Pod+" at "+one.Replica+": "+stateText(one))
	}
	want := []string{"web at one: up to date, draining", "db at one: up to date", "web at two: up to date"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
