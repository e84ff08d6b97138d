package conformance_test

import (
	"testing"

	"sigs.k8s.io/gateway-api/conformance"
)

// TestConformance runs the conformance suite of the Gateway API with the flags of the suite. hack/conformance sets them.
func TestConformance(t *testing.T) { conformance.RunConformance(t) }
