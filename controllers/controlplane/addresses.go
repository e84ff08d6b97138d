package controlplane

import (
	"fmt"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Addresses are where the servers of a control plane listen.
type Addresses struct {
	Health, XDS, Webhook, Report, Debug string
}

// DefaultAddresses returns the addresses that the objects of the operator expect. That of the debug server is on the loopback interface:
// kubectl port-forward reaches it, but no other pod does.
func DefaultAddresses() Addresses {
	return Addresses{
		Health: fmt.Sprintf(":%d", names.HealthPort), XDS: fmt.Sprintf(":%d", names.ADSPort), Webhook: fmt.Sprintf(":%d", names.ValidatorPort),
		Report: fmt.Sprintf(":%d", names.ReportPort), Debug: fmt.Sprintf("127.0.0.1:%d", names.DebugPort),
	}
}
