package certificates

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/certificate/preflight"
	"github.com/openservicemesh/osm-operator/internal/certificate/rotation"
	"github.com/openservicemesh/osm-operator/internal/operator/health"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
)

const (
	// DefaultMountDelay is how long kubelets take at most to update the files of a changed Secret or ConfigMap, with their default
	// settings.
	DefaultMountDelay = 2 * time.Minute
	// rotationInterval is how often the progress of a rotation is observed. Sidecars have no events.
	rotationInterval = 5 * time.Second
	// reminderInterval is how often an Event names what a rotation waits for, and maxReminded how many of them.
	reminderInterval = time.Hour
	maxReminded      = 10
	// maxExamples limits the examples in the condition.
	maxExamples = 5
)

// Replicas observes the certificate authorities that control planes use.
type Replicas interface {
	Replicas(ctx context.Context, target health.Target) ([]rotation.Replica, error)
}

// Sidecars lists the pods that need the certificates of a mesh.
type Sidecars interface {
	// RunningSidecars are the pods with a running sidecar of a mesh, sorted by name.
	RunningSidecars(ctx context.Context, mesh string) ([]preflight.Sidecar, error)
}

// rotate performs the next step from the active certificate authority to the desired one, and sets the root of the pass if that changes.
func (r *Reconciler) rotate(ctx context.Context, p *pass, active, desired *certificate.Root) error {
	changed, err := r.restoreActive(ctx, p)
	if err != nil {
		return err
	}
	o := rotation.Observed{
		Now: r.Now(), Desired: describe(desired), Active: describe(active), ActiveExpired: active.Expired(r.Now()),
		Since: changed, MountDelay: r.MountDelay,
	}
	decision := rotation.Decide(o)
	if decision.Phase != rotation.Idle {
		if err := r.observeTrust(ctx, p, &o); err != nil {
			return err
		}
		if o.Peers, err = health.Peers(ctx, r.Client, p.mesh, slices.Concat(active.CertPEM(), desired.CertPEM()), r.Now()); err != nil {
			return err
		}
		o.Except(p.desired.RotateWithout, p.desired.RotateWithoutPeers)
		if o.Rejected, err = r.rejected(ctx, p, desired); err != nil {
			return err
		}
		decision = rotation.Decide(o)
	}
	if decision.Phase == rotation.Idle {
		if err := r.changeWorkloadIssuer(ctx, p, desired.ExternalIssuer()); err != nil {
			return err
		}
		return errors.Join(r.forgetEarlier(ctx, p), r.endDelegations(ctx, p))
	}
	p.rotation = &decision
	p.RequeueAfter(rotationInterval)
	if len(decision.Waiting) > 0 {
		r.remind(p, decision)
		return nil
	}
	p.root = chooseIssuer(decision.Next, active, desired)
	if err := r.writeActive(ctx, p); err != nil {
		return err
	}
	r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeNormal, "AuthorityRotated", "RotateAuthority", "%s", describeStep(active, p.root))
	return nil
}

// remind records an Event about a rotation that waits, every reminderInterval. It is stateless: it counts from the start of the rotation.
func (r *Reconciler) remind(p *pass, decision rotation.Decision) {
	rotating := meta.FindStatusCondition(p.mesh.Status.Conditions, v1alpha1.ConditionRotatingAuthority)
	if rotating == nil {
		return
	}
	elapsed := r.Now().Sub(rotating.LastTransitionTime.Time)
	if elapsed < reminderInterval || elapsed%reminderInterval >= rotationInterval {
		return
	}
	r.Recorder.Eventf(p.mesh, nil, corev1.EventTypeWarning, "RotationWaits", "RotateAuthority", "the rotation of the certificate authority has taken %s and waits: %s",
		elapsed.Truncate(time.Hour), strings.Join(decision.Summary(maxReminded), "; "))
}

// describe is an authority as a rotation compares it.
func describe(root *certificate.Root) rotation.Authority {
	return rotation.Authority{Issuer: root.Generation(), Anchor: root.Anchor(), Trusted: root.Anchors(), Domains: root.TrustDomains()}
}

// chooseIssuer returns the authority that a rotation has decided on.
func chooseIssuer(next rotation.Authority, active, desired *certificate.Root) *certificate.Root {
	issuer := active
	if next.Issuer == desired.Generation() {
		issuer = desired
	}
	known := append(active.Trusted(), desired.Trusted()...)
	fingerprints := append(active.Anchors(), desired.Anchors()...)
	trusted := lists.Map(next.Trusted, func(fingerprint string) *x509.Certificate { return known[slices.Index(fingerprints, fingerprint)] })
	return issuer.Trusting(trusted).In(next.Domains)
}

// observeTrust observes who has the active certificate authority.
func (r *Reconciler) observeTrust(ctx context.Context, p *pass, o *rotation.Observed) error {
	var err error
	if o.Namespaces, err = r.namespacesWithout(ctx, p, o.Active.Trusted); err != nil {
		return err
	}
	if o.Webhooks, err = preflight.WebhooksWithout(ctx, r.Client, p.mesh.Name, o.Active.Trusted); err != nil {
		return err
	}
	sidecars, err := r.Sidecars.RunningSidecars(ctx, p.mesh.Name)
	if err != nil {
		return err
	}
	o.Sidecars = lists.Map(sidecars, func(sidecar preflight.Sidecar) string { return sidecar.Name })
	o.Replicas, err = r.replicas(ctx, p)
	return err
}

// replicas observes the replicas of all control planes.
func (r *Reconciler) replicas(ctx context.Context, p *pass) ([]rotation.Replica, error) {
	var all []rotation.Replica
	for i := range p.revisions {
		revision := &p.revisions[i]
		if !observe.RunsActive(revision.Spec.Role) && !observe.RunsCanary(revision.Spec.Role) || revision.DeletionTimestamp != nil {
			continue
		}
		replicas, err := r.Replicas.Replicas(ctx, health.TargetOf(revision, p.root.CertPEM()))
		if err != nil {
			return nil, err
		}
		all = append(all, replicas...)
	}
	return all, nil
}

// namespacesWithout lists the namespaces whose trust ConfigMap lacks certificates.
func (r *Reconciler) namespacesWithout(ctx context.Context, p *pass, trusted []string) ([]string, error) {
	members, err := r.MemberNames(ctx, p.mesh.Name)
	if err != nil {
		return nil, err
	}
	return preflight.NamespacesWithout(ctx, r.Client, p.mesh.Name, append(members, p.desired.Namespace), trusted)
}

// rotationMessage describes a rotation in progress.
func rotationMessage(decision rotation.Decision) string {
	if len(decision.Waiting) == 0 {
		return "the mesh is changing its certificate authority"
	}
	if decision.Phase == rotation.AuthorityRejected {
		return "the mesh keeps its certificate authority, because certificates of the new one would be rejected: " + strings.Join(decision.Summary(maxExamples), "; ")
	}
	return "the mesh is changing its certificate authority, and waits: " + strings.Join(decision.Summary(maxExamples), "; ")
}

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
func (r *Reconciler) rejected(ctx context.Context, p *pass, desired *certificate.Root) ([]string, error) {
	sidecars, err := r.Sidecars.RunningSidecars(ctx, p.mesh.Name)
	if err != nil {
		return nil, err
	}
	return preflight.Check(desired.Path(), preflight.Mesh{
		Namespace: p.desired.Namespace, TrustDomain: desired.TrustDomains().Issued, Sidecars: sidecars, Webhooks: preflight.WebhooksOf(p.mesh.Name),
	}, r.Now())
}
