package verdict

import (
	"testing"

	"pgregory.net/rapid"
)

// TestAuditT5EngineAgreesWithReference compares the policy engine, on objects that the control plane has read, with the texts of SMI and OSM.
func TestAuditT5EngineAgreesWithReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		state := AnyState().Draw(t, "mesh")
		o := newOracle(state)
		addresses := o.serviceAddresses()
		for range 40 {
			request := drawRequest(t, addresses)
			if problem := o.expect(request).disagreement; problem != "" {
				t.Fatalf("%+v: %s\n%s", request, problem, state)
			}
		}
	})
}
