// Package conformance runs the conformance suite of the Gateway API, in a module of its own because the suite needs a newer Go.
//
// Flags of hack/conformance and a mesh on a cluster flow in. The report of the suite flows out.
package conformance_test

import (
	"testing"

	"sigs.k8s.io/gateway-api/conformance"
)

// TestConformance runs the conformance suite of the Gateway API with the flags of the suite. hack/conformance sets them.
func TestConformance(t *testing.T) { conformance.RunConformance(t) }
