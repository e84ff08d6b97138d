package certificates

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/certificate/preflight"
)

// describeStep describes how the active authority has changed.
func describeStep(before, after *certificate.Root) string {
	var steps []string
	if before.Generation() != after.Generation() {
		steps = append(steps, fmt.Sprintf("the certificate authority %s issues from now on, instead of %s", after.Generation(), before.Generation()))
	}
	if was, is := before.TrustDomains(), after.TrustDomains(); was.Issued != is.Issued {
		steps = append(steps, fmt.Sprintf("certificates are issued in the trust domain %s from now on, instead of %s", is.Issued, was.Issued))
	}
	steps = append(steps, describeChange("trusts the certificates", before.Anchors(), after.Anchors())...)
	steps = append(steps, describeChange("accepts clients of the trust domains", before.TrustDomains().Clients, after.TrustDomains().Clients)...)
	steps = append(steps, describeChange("accepts servers of the trust domains", before.TrustDomains().Servers, after.TrustDomains().Servers)...)
	return strings.Join(steps, "; ")
}

// describeChange describes the change of a list; nothing without one.
func describeChange(what string, before, after []string) []string {
	was, is := slices.Sorted(slices.Values(before)), slices.Sorted(slices.Values(after))
	if slices.Equal(was, is) {
		return nil
	}
	return []string{fmt.Sprintf("the mesh %s %s from now on, instead of %s", what, strings.Join(is, " and "), strings.Join(was, " and "))}
}

// rejected lists the sidecars and webhooks whose certificates peers would reject if an authority issued them.
func (r *Reconciler) rejected(ctx context.Context, s *scope, desired *certificate.Root) ([]string, error) {
	sidecars, err := r.Sidecars.RunningSidecars(ctx, s.mesh.Name)
	if err != nil {
		return nil, err
	}
	return preflight.Check(desired.Path(), preflight.Mesh{
		Namespace: s.desired.Namespace, TrustDomain: desired.TrustDomains().Issued, Sidecars: sidecars, Webhooks: preflight.WebhooksOf(s.mesh.Name),
	}, r.Now())
}
