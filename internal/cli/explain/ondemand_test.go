package explain

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

func TestAnsweredOnDemand(t *testing.T) {
	const eager, answered = "the connection is reset", "status 503 of the client's sidecar, which loads destinations on demand"
	for _, test := range []struct {
		client   *catalog.Pod
		protocol catalog.Protocol
		outcome  authz.Outcome
		want     string
	}{
		{&catalog.Pod{OnDemand: true}, catalog.ProtocolHTTP, authz.Reset, answered},
		{&catalog.Pod{OnDemand: true}, catalog.ProtocolTCP, authz.Reset, eager},
		{&catalog.Pod{OnDemand: true}, catalog.ProtocolHTTP, authz.Forbidden, eager},
		{&catalog.Pod{}, catalog.ProtocolHTTP, authz.Reset, eager},
		{nil, catalog.ProtocolHTTP, authz.Reset, eager},
	} {
		ways := []Way{{Protocol: string(test.protocol), Outcome: string(test.outcome), Seen: eager}}
		if answeredOnDemand(ways, test.client); ways[0].Seen != test.want {
			t.Errorf("%+v: the client sees %q", test, ways[0].Seen)
		}
	}
}
