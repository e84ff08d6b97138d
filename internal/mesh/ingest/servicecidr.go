package ingest

import (
	"net/netip"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// ServiceCIDR reads the ranges of a ServiceCIDR. The API server validates them.
func ServiceCIDR(object *networkingv1.ServiceCIDR) *catalog.ServiceCIDR {
	entry := &catalog.ServiceCIDR{Name: object.Name}
	for _, text := range object.Spec.CIDRs {
		if prefix, err := netip.ParsePrefix(text); err == nil {
			entry.Ranges = append(entry.Ranges, prefix.Masked())
		}
	}
	return entry
}
