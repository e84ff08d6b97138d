package cli

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/internal/cli/explain"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	reportclient "github.com/openservicemesh/osm-operator/internal/platform/report/client"
)

// acknowledgingReplica reports a policy that all its sidecars have acknowledged.
type acknowledgingReplica []report.Proxy

func (r acknowledgingReplica) Object(context.Context, string, string, string) ([]reportclient.Answer[report.Object], error) {
	responded := time.Unix(1, 0)
	return []reportclient.Answer[report.Object]{{Replica: "a", Value: report.Object{Sidecars: 2, Acknowledged: 2, RespondedAt: &responded}}}, nil
}

func (r acknowledgingReplica) Proxies(context.Context) ([]reportclient.Answer[report.Proxies], error) {
	return []reportclient.Answer[report.Proxies]{{Replica: "a", Value: report.Proxies{Proxies: r}}}, nil
}

// The acknowledgements of a policy do not hide that the client has no sidecar.
func TestClientWithoutSidecar(t *testing.T) {
	target := kinds.Object(kinds.TrafficTarget)
	target.SetNamespace("shop")
	target.SetName("t")
	c := fake.NewClientBuilder().WithScheme(runtime.NewScheme()).WithObjects(target).Build()
	answer := &explain.Answer{Policies: []string{"shop/t"}, Parties: []identity.ServiceAccount{{Namespace: "front", Name: "till"}, {Namespace: "shop", Name: "web"}}}
	web := report.Proxy{Namespace: "shop", ServiceAccount: "web"}
	const acknowledged = "TrafficTarget shop/t: acknowledged by 2 of 2 sidecars"
	for name, test := range map[string]struct {
		proxies acknowledgingReplica
		want    []string
	}{
		"server only": {acknowledgingReplica{web}, []string{acknowledged, "configuration of front/till: no connected sidecar"}},
		"both":        {acknowledgingReplica{web, {Namespace: "front", ServiceAccount: "till"}}, []string{acknowledged}},
	} {
		var got []string
		for _, l := range liveAnswer(t.Context(), c, test.proxies, answer) {
			got = append(got, l.String())
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The acknowledgements are those of the kind that allows the call.
func TestLiveEgress(t *testing.T) {
	policy := kinds.Object(kinds.Egress)
	policy.SetNamespace("shop")
	policy.SetName("t")
	c := fake.NewClientBuilder().WithScheme(runtime.NewScheme()).WithObjects(policy).Build()
	answer := &explain.Answer{Policies: []string{"shop/t"}, Outside: true}
	got := liveAnswer(t.Context(), c, acknowledgingReplica{}, answer)
	if len(got) != 1 || got[0].String() != "Egress shop/t: acknowledged by 2 of 2 sidecars" {
		t.Errorf("the acknowledgements are %v", got)
	}
}
