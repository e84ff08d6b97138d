package certificates

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/certificate/rotation"
)

// issuingWorkloads returns the authority of cert-manager with the issuer of workload certificates, if that is not the authority itself. Both
// lead to the same root.
func (s *scope) issuingWorkloads(authority *certificate.Root) *certificate.Root {
	if s.desired.Provider != v1alpha1.ProviderCertManager || !s.desired.RequestsCertificates {
		return authority
	}
	issuer := issuerReference(s.desired.Issuer)
	return authority.IssuedBy(&certificate.ExternalIssuer{Name: issuer.Name, Kind: issuer.Kind, Group: issuer.Group})
}

// changeWorkloadIssuer changes who issues the certificates of workloads, below the same root.
func (r *Reconciler) changeWorkloadIssuer(ctx context.Context, s *scope, issuer *certificate.ExternalIssuer) error {
	changed := s.root.IssuedBy(issuer)
	if certificate.SameExternalIssuer(changed, s.root) {
		return nil
	}
	s.root = changed
	if err := r.writeActive(ctx, s); err != nil {
		return err
	}
	note := "the certificate authority of the mesh issues the certificates of workloads from now on"
	if issuer != nil {
		note = fmt.Sprintf("the certificates of workloads are requested of the %s %s from now on", issuer.Kind, issuer.Name)
	}
	r.Recorder.Eventf(s.mesh, nil, corev1.EventTypeNormal, "WorkloadIssuerChanged", "ChangeWorkloadIssuer", "%s", note)
	return nil
}

// observeIssuance reports certificates of workloads that cert-manager does not issue.
func (r *Reconciler) observeIssuance(ctx context.Context, s *scope) error {
	if s.root.ExternalIssuer() == nil || s.delegation == nil || s.delegation.reason != "" {
		return nil
	}
	replicas, err := r.replicas(ctx, s)
	if err != nil {
		return err
	}
	if message := describeFailure(replicas); message != "" {
		s.delegation.reason, s.delegation.message = v1alpha1.ReasonNotIssued, message
	}
	return nil
}

// describeFailure describes why certificates of workloads are not issued, and for how long the present ones are valid; empty if they are issued.
func describeFailure(replicas []rotation.Replica) string {
	var failing *rotation.Replica
	var expiry time.Time
	for i := range replicas {
		r := &replicas[i]
		if r.Failure != "" && (failing == nil || r.FailingSince.Before(failing.FailingSince)) {
			failing = r
		}
		if !r.FirstExpiry.IsZero() && (expiry.IsZero() || r.FirstExpiry.Before(expiry)) {
			expiry = r.FirstExpiry
		}
	}
	if failing == nil {
		return ""
	}
	message := fmt.Sprintf("certificates of workloads are not issued since %s: %s", failing.FailingSince.UTC().Format(time.RFC3339), failing.Failure)
	if !expiry.IsZero() {
		message += fmt.Sprintf("; workloads use their present certificates, of which the first expires at %s", expiry.UTC().Format(time.RFC3339))
	}
	return message
}
