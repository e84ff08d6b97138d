package certificates

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// checkGatewayName rejects a name whose certificate would prove the identity of a workload in the mesh, or of its control plane.
func (r *Reconciler) checkGatewayName(ctx context.Context, s *scope, name string) error {
	const field = "spec.certificate.ingressGateway.subjectAltNames of the MeshConfig"
	if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
		return fmt.Errorf("%s: %q is not a DNS name: %s", field, name, problems[0])
	}
	for _, domain := range identity.MergeTrustDomains(s.root.TrustDomains().Known, []string{s.desired.TrustDomain}) {
		if err := r.checkGatewayNameIn(ctx, s, name, domain); err != nil {
			return fmt.Errorf("%s: the name %q %w", field, name, err)
		}
	}
	return nil
}

// checkGatewayNameIn reports why a name is reserved in a trust domain.
func (r *Reconciler) checkGatewayNameIn(ctx context.Context, s *scope, name, domain string) error {
	if !strings.HasSuffix(name, "."+domain) {
		return nil
	}
	account, err := identity.ParsePrincipal(name, domain)
	if err != nil {
		return fmt.Errorf("is reserved for the control plane: write <service account>.<namespace>.%s of the gateway", domain)
	}
	namespace, err := r.Namespace(ctx, account.Namespace)
	if err != nil {
		return err
	}
	if namespace != nil && namespace.Labels[names.MonitoredByLabel] == s.mesh.Name {
		return fmt.Errorf("is that of the service account %s in the mesh: write the name of a gateway outside the mesh", account)
	}
	return nil
}
