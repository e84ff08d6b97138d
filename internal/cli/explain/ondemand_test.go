package explain

import (
	"testing"

	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
)

func TestAnsweredOnDemand(t *testing.T) {
	const eager, answered = "the connection is reset", "status 503 of the client's sidecar, which loads destinations on demand"
	for _, test := range []struct {
		client   *inventory.Instance
		protocol inventory.Protocol
		outcome  authz.Outcome
		want     string
	}{
		{&inventory.Instance{OnDemand: true}, inventory.ProtocolHTTP, authz.Reset, answered},
		{&inventory.Instance{OnDemand: true}, inventory.ProtocolTCP, authz.Reset, eager},
		{&inventory.Instance{OnDemand: true}, inventory.ProtocolHTTP, authz.Forbidden, eager},
		{&inventory.Instance{}, inventory.ProtocolHTTP, authz.Reset, eager},
		{nil, inventory.ProtocolHTTP, authz.Reset, eager},
	} {
		candidates := []Candidate{{Protocol: string(test.protocol), Outcome: string(test.outcome), Response: eager}}
		if answeredOnDemand(candidates, test.client); candidates[0].Response != test.want {
			t.Errorf("%+v: the client sees %q", test, candidates[0].Response)
		}
	}
}
