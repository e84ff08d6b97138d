package certificates

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/openservicemesh/osm-operator/internal/identity"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// checkGatewayName rejects a name whose certificate would prove the identity of a workload in the mesh, or of its control plane.
func (r *Reconciler) checkGatewayName(ctx context.Context, s *scope, name string) error {
	const field = "spec.certificate.ingressGateway.subjectAltNames of the MeshConfig"
	if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 {
		return fmt.Errorf("%s: %q is not a DNS name: %s", field, name, problems[0])
	}
	if !strings.HasSuffix(name, "."+s.wanted.TrustDomain) {
		return nil
	}
	account, err := identity.ParsePrincipal(name, s.wanted.TrustDomain)
	if err != nil {
		return fmt.Errorf("%s: the name %q is reserved for the control plane: write <service account>.<namespace>.%s of the gateway", field, name, s.wanted.TrustDomain)
	}
	namespace, err := r.Namespace(ctx, account.Namespace)
	if err != nil {
		return err
	}
	if namespace != nil && namespace.Labels[names.MonitoredByLabel] == s.mesh.Name {
		return fmt.Errorf("%s: the name %q is that of the service account %s in the mesh: write the name of a gateway outside the mesh", field, name, account)
	}
	return nil
}
