package rollout

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/operator/observe"
	"github.com/openservicemesh/osm-operator/internal/operator/rollout"
	"github.com/openservicemesh/osm-operator/internal/operator/secrets"
	"github.com/openservicemesh/osm-operator/internal/operator/webhooks"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// observeCanary adds to a situation the namespaces of the canary, its registered injector, and why there can be no canary.
func (r *Reconciler) observeCanary(ctx context.Context, s *scope, situation *rollout.Situation) error {
	injection, err := webhooks.LiveInjection(ctx, r.Cluster, s.mesh.Name)
	situation.CanaryInjector = injection.Revision
	if err != nil || situation.Strategy != rollout.Canary {
		return err
	}
	if err := checkCanary(s); err != nil {
		situation.CanaryUnsupported = err.Error()
	}
	selector, err := canarySelector(s.mesh)
	if err != nil {
		situation.CanaryUnsupported = fmt.Sprintf("spec.upgrade.strategy.canary.namespaces is not a label selector: %v", err)
		return nil
	}
	members, err := r.Members(ctx, s.mesh.Name)
	if err != nil {
		return err
	}
	for i := range members {
		if members[i].DeletionTimestamp == nil && selector.Matches(labels.Set(members[i].Labels)) {
			situation.CanaryNamespaces = append(situation.CanaryNamespaces, members[i].Name)
		}
	}
	slices.Sort(situation.CanaryNamespaces)
	return nil
}

// checkCanary returns an error if the desired version cannot run as a canary.
func checkCanary(s *scope) error {
	longest := names.WithSuffix(reportService, names.CanarySuffix(s.mesh.Name, desired.RevisionName(s.desired.Name, s.desired.Version)))
	if len(longest) > validation.DNS1035LabelMaxLength {
		return fmt.Errorf("version %s cannot run as a canary, because its Service %s would have a name of more than %d letters: set spec.upgrade.strategy.type to InPlace for it",
			s.desired.Version, longest, validation.DNS1035LabelMaxLength)
	}
	return nil
}

// canarySelector selects the namespaces of the canary; none when the Mesh does not name them.
func canarySelector(mesh *v1alpha1.Mesh) (labels.Selector, error) {
	upgrade, _, _ := observe.UpgradeSettings(mesh)
	if upgrade.Strategy == nil || upgrade.Strategy.Canary == nil {
		return labels.Nothing(), nil
	}
	return metav1.LabelSelectorAsSelector(&upgrade.Strategy.Canary.Namespaces)
}

// isCanaryOnly returns true if the desired revision is a canary only. It then serves its own sidecars, and no others.
func (s *scope) isCanaryOnly() bool {
	return s.situation.Desired == s.situation.Canary && s.situation.Desired != s.situation.Active
}

// isRestartedByHand is true when people have restarted a workload for a canary, which the operator does not do with manual restarts.
func (s *scope) isRestartedByHand(w rollout.Workload) bool {
	return s.isCanaryOnly() && s.situation.Limits.Manual && w.Sidecars[s.situation.Desired] > 0
}

// target is the revision that the sidecars of a namespace should be of.
func (s *scope) target(namespace string) string {
	if s.plan.CanaryInjector != "" && slices.Contains(s.situation.CanaryNamespaces, namespace) {
		return s.plan.CanaryInjector
	}
	return s.plan.Active
}

// waitForCanaryCertificate keeps a canary from starting before the certificate of its injector exists. The certificates controller issues
// it as soon as the MeshRevision exists.
func (r *Reconciler) waitForCanaryCertificate(ctx context.Context, s *scope) error {
	if s.plan.Canary == "" || s.plan.Canary == s.situation.Canary {
		return nil
	}
	secret, err := r.Secrets.Get(ctx, s.desired.Namespace, secrets.CanaryCert)
	if err != nil {
		return err
	}
	host := names.WithSuffix(names.Injector, names.CanarySuffix(s.mesh.Name, s.plan.Canary)) + "." + s.desired.Namespace + ".svc"
	if secret == nil || !isCertificateOf(secret.Data[corev1.TLSCertKey], host) {
		s.plan = rollout.WaitingPlan(s.situation, "waiting for the certificate of the canary's injector")
		s.RequeueAfter(pollInterval)
	}
	return nil
}

// isCertificateOf is true when the first certificate of a chain (PEM) is that of a host.
func isCertificateOf(chain []byte, host string) bool {
	block, _ := pem.Decode(chain)
	if block == nil {
		return false
	}
	parsed, err := x509.ParseCertificate(block.Bytes)
	return err == nil && parsed.VerifyHostname(host) == nil
}

// reportService is the Service by which the replicas of a controller are found.
const reportService = names.Controller + "-report"
