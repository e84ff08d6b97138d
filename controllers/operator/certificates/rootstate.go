package certificates

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/operator/apply"
	"github.com/openservicemesh/osm-operator/internal/operator/conditions"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// writeStates writes the status of all MeshRootCertificates.
func (r *Reconciler) writeStates(ctx context.Context, p *pass) error {
	var errs []error
	for i := range p.declared {
		d := &p.declared[i]
		p.describeState(d, r.Now())
		if equality.Semantic.DeepEqual(*d.status, d.object.Status) {
			continue
		}
		changed := d.object.DeepCopy()
		changed.Status = *d.status
		if err := r.Client.Status().Patch(ctx, changed, client.MergeFrom(d.object), client.FieldOwner(apply.FieldManager)); client.IgnoreNotFound(err) != nil {
			errs = append(errs, fmt.Errorf("the status of MeshRootCertificate %s/%s cannot be written: %w", changed.Namespace, changed.Name, err))
		}
	}
	return errors.Join(errs...)
}

// describeState computes the status of a MeshRootCertificate from the active authority.
func (p *pass) describeState(d *declared, now time.Time) {
	if d.root != nil {
		d.status.Root = d.root.Anchor()
	}
	if !d.inUse {
		d.status.Secret = ""
	}
	var done bool
	d.status.State, done = p.stateOf(d)
	editor := conditions.NewEditor(&d.status.Conditions, d.object.Generation, now)
	switch {
	case d.problem != nil:
		editor.SetStatus(configv1alpha2.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonInvalidRoot, d.problem.Error())
	case d.isPending():
		editor.SetStatus(configv1alpha2.ConditionAccepted, metav1.ConditionFalse, d.delegation.reason, d.delegation.message)
	case d.delegation != nil && d.delegation.reason != "":
		editor.SetStatus(configv1alpha2.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted, d.delegation.message)
	default:
		editor.SetStatus(configv1alpha2.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted, "the root can be used")
	}
	if done {
		editor.SetStatus(configv1alpha2.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRoleInEffect, "the role is in effect")
		return
	}
	message := "the mesh is changing its certificate authority: see the condition RotatingAuthority of the Mesh"
	if d.problem != nil || d.isPending() {
		message = "the root cannot be used: see the condition Accepted"
	}
	editor.SetStatus(configv1alpha2.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRoleNotInEffect, message)
}

// stateOf returns the state of a MeshRootCertificate, and whether its role is in effect.
func (p *pass) stateOf(d *declared) (state string, done bool) {
	isIssuer := d.root != nil && p.root != nil && p.root.Generation() == d.root.Generation()
	isTrusted := p.root != nil && slices.Contains(p.root.Anchors(), cmp.Or(d.status.Root, "none"))
	switch {
	case d.problem != nil:
		return configv1alpha2.StateError, false
	case !d.inUse && isTrusted:
		return configv1alpha2.StateValidatingRollback, false
	case !d.inUse:
		return configv1alpha2.StateInactive, true
	case d.issues && isIssuer && p.rotation == nil:
		return configv1alpha2.StateActive, true
	case d.issues && isIssuer:
		return configv1alpha2.StateIssuingRollout, false
	case !d.issues && isIssuer:
		return configv1alpha2.StateIssuingRollback, false
	}
	return configv1alpha2.StateValidatingRollout, isTrusted && !d.issues && p.rotation == nil
}

// changedAnnotation is when the active certificate authority was changed last, in RFC 3339. Pods have it some time later.
const changedAnnotation = "operator.openservicemesh.io/changed-at"

// writeActive makes the root of the pass the active certificate authority.
func (r *Reconciler) writeActive(ctx context.Context, p *pass) error {
	content, err := p.root.Encode()
	if err != nil {
		return err
	}
	return r.applyActive(ctx, p, content, r.Now())
}

// applyActive writes the Secret of the active certificate authority.
func (r *Reconciler) applyActive(ctx context.Context, p *pass, content map[string][]byte, changed time.Time) error {
	key := client.ObjectKey{Namespace: p.desired.Namespace, Name: names.ActiveCASecret}
	annotations := map[string]string{changedAnnotation: changed.UTC().Format(time.RFC3339)}
	if err := r.applySecret(ctx, p, key, corev1.SecretTypeOpaque, annotations, content); err != nil {
		return fmt.Errorf("the active certificate authority in Secret %s cannot be written: %w", key, err)
	}
	return nil
}

// restoreActive restores the labels of the active certificate authority, and returns when it was changed last. A time
// that is missing or damaged counts as now.
func (r *Reconciler) restoreActive(ctx context.Context, p *pass) (time.Time, error) {
	live, err := r.Secrets.Get(ctx, p.desired.Namespace, names.ActiveCASecret)
	if err != nil || live == nil {
		return time.Time{}, err
	}
	changed, err := time.Parse(time.RFC3339, live.Annotations[changedAnnotation])
	if err == nil && isLabelled(live, p.mesh) {
		return changed, nil
	}
	if err != nil {
		changed = r.Now()
	}
	return changed, r.applyActive(ctx, p, live.Data, changed)
}

// summarize describes the certificates that exist after a reconciliation.
func (p *pass) summarize() *v1alpha1.CertificatesStatus {
	summary := &v1alpha1.CertificatesStatus{Issuer: summaryOf(p.root.DescribeIssuer()), Root: p.root.Anchor(), TrustDomain: p.root.TrustDomains().Issued}
	if accepted := p.root.TrustDomains(); len(accepted.Clients) > 1 || len(accepted.Servers) > 1 {
		summary.AcceptedTrustDomains = identity.MergeTrustDomains(accepted.Clients, accepted.Servers)
	}
	summary.Roots = lists.Map(p.root.DescribeTrusted(), summaryOf)
	if issuer := p.root.ExternalIssuer(); issuer != nil {
		summary.WorkloadIssuer = issuer.Kind + " " + issuer.Name
	}
	for secret, end := range p.serving {
		summary.Webhooks = append(summary.Webhooks, v1alpha1.WebhookCertificate{Secret: secret, NotAfter: secondsOf(end)})
	}
	slices.SortFunc(summary.Webhooks, func(a, b v1alpha1.WebhookCertificate) int { return cmp.Compare(a.Secret, b.Secret) })
	if p.gateway != nil {
		summary.IngressGateway = p.gateway.summary
	}
	if p.rotation != nil {
		summary.Blockers = p.rotation.Summary(v1alpha1.MaxBlockers - 1)
	}
	return summary
}

func summaryOf(d certificate.Description) v1alpha1.CertificateSummary {
	return v1alpha1.CertificateSummary{Fingerprint: d.Fingerprint, Subject: d.Subject, NotAfter: secondsOf(d.NotAfter)}
}

// secondsOf converts a time to the resolution of the API.
func secondsOf(t time.Time) metav1.Time { return metav1.NewTime(t.UTC().Truncate(time.Second)) }

// expiryNotice is how long before its end the condition names an authority, as the alert OSMRootCertificateExpiring does.
const expiryNotice = 30 * 24 * time.Hour

// noteExpiry notes an authority that ends soon and is not replaced by itself.
func (p *pass) noteExpiry(now time.Time) {
	first, notice := firstEnd(p.root)
	until := first.NotAfter.Add(-notice).Sub(now)
	if until > 0 {
		p.RequeueAfter(until)
		return
	}
	if left := first.NotAfter.Sub(now); left > 0 {
		p.RequeueAfter(left) // it becomes a problem
	}
	p.notes = append(p.notes, fmt.Sprintf("the certificate authority %s (%s) expires at %s, and all calls with mTLS fail then: %s",
		first.Fingerprint, first.Subject, first.NotAfter.UTC().Format(time.RFC3339), p.expiryRemedy()))
}

// firstEnd returns the issuing certificate or its root, whichever ends first, and how long before its end it should have been replaced. Issuers replace
// an authority at two thirds of its lifetime, so a short-lived one is late at five sixths.
func firstEnd(root *certificate.Root) (certificate.Description, time.Duration) {
	issuer := root.DescribeIssuer()
	for _, trusted := range root.DescribeTrusted() {
		if trusted.Fingerprint == root.Anchor() && trusted.NotAfter.Before(issuer.NotAfter) {
			return trusted, expiryNotice
		}
	}
	return issuer, min(expiryNotice, root.NotAfter().Sub(root.RenewalTime())/2)
}

// expiryRemedy is what to do about an authority that ends.
func (p *pass) expiryRemedy() string {
	switch {
	case p.rotation != nil:
		return "the mesh is moving to another one, see the condition " + v1alpha1.ConditionRotatingAuthority
	case hasInUse(p.declared):
		return "create another MeshRootCertificate"
	case p.delegation != nil:
		return "its issuer should have replaced it, see the condition " + v1alpha1.ConditionCertificatesDelegated
	}
	return "set spec.certificates.rotateRoot of the Mesh to another value"
}
