package mesh

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/controllers/operator/apply"
	"github.com/openservicemesh/osm-operator/controllers/operator/secrets"
	"github.com/openservicemesh/osm-operator/internal/names"
	"github.com/openservicemesh/osm-operator/internal/operand"
)

// reportService is the Service by which the replicas of a controller are found.
const reportService = names.Controller + "-report"

// withdraw gives all namespaces back to the mesh's own injector, before anything that the one beside it needs is changed.
func (r *Reconciler) withdraw(ctx context.Context, s *scope) error {
	if s.situation.Injects == "" || s.situation.Injects == s.plan.Injects {
		return nil
	}
	objects, err := r.renderWebhooks(s, nil)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if bundleOf(object) != secrets.InjectorCert {
			continue
		}
		if _, err := r.Applier.One(ctx, s.mesh, object); err != nil {
			return err
		}
		r.say(s, corev1.EventTypeNormal, "CanaryWithdrawn", "Withdraw "+s.situation.Injects,
			"the mesh's own injector decides about all namespaces again, no longer that of %s", s.situation.Injects)
	}
	return nil
}

// canaryCertificate keeps the certificate of the injector beside the mesh's own.
func (r *Reconciler) canaryCertificate(ctx context.Context, s *scope) error {
	if s.plan.Beside == "" {
		return nil
	}
	service := names.Beside(names.Injector, operand.Suffix(s.mesh.Name, s.plan.Beside))
	return r.servingCertificate(ctx, s, secrets.CanaryCert, service+"."+s.wanted.Namespace+".svc")
}

// recallCanary reads by which certificate the injector beside is known, so that the webhooks can be written before it is renewed.
func (r *Reconciler) recallCanary(ctx context.Context, s *scope) error {
	if s.plan.Injects == "" {
		return nil
	}
	live, err := r.Secrets.Get(ctx, s.wanted.Namespace, secrets.CanaryCert)
	if err == nil && live != nil {
		s.bundles[secrets.CanaryCert] = live.Data[names.CABundleCert]
	}
	return err
}

// dropCanary deletes the certificate of a canary that is over.
func (r *Reconciler) dropCanary(ctx context.Context, s *scope) error {
	ran, err := r.ranBeside(ctx, s)
	if err != nil || len(ran) == 0 || s.plan.Beside != "" || s.situation.Beside != "" {
		return err
	}
	secret, err := r.Secrets.Get(ctx, s.wanted.Namespace, secrets.CanaryCert)
	if err != nil || secret == nil || secret.Labels[names.MeshLabel] != s.mesh.Name {
		return err
	}
	return r.deleteOne(ctx, secret)
}

// canaryOf is what the webhook of a canary needs; nil without one.
func (s *scope) canaryOf() *operand.Canary {
	bundle := s.bundles[secrets.CanaryCert]
	if s.plan.Injects == "" || len(bundle) == 0 {
		return nil
	}
	return &operand.Canary{Suffix: operand.Suffix(s.mesh.Name, s.plan.Injects), Namespaces: s.situation.Chosen, Bundle: bundle}
}

// besideServices renders the Services of what runs beside the mesh's own control plane, and the aliases of what did: a sidecar keeps
// for life the host that it began with, so that host leads to the mesh's own control plane as long as such a sidecar lives.
func (r *Reconciler) besideServices(ctx context.Context, s *scope) ([]*unstructured.Unstructured, error) {
	aliases, err := r.aliases(ctx, s)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, revision := range append(aliases, s.plan.Beside) {
		if revision == "" {
			continue
		}
		p := r.parameters(s)
		p.Beside = operand.Suffix(s.mesh.Name, revision)
		services, err := s.release.BesideServices(p, revision != s.plan.Beside)
		if err != nil {
			return nil, err
		}
		objects = append(objects, services...)
	}
	return objects, nil
}

// aliases are the revisions that ran beside the mesh's own and may still be asked for by that name, sorted: the wanted one, because its
// sidecars do not tell which of its times they are from, and each that has left sidecars.
func (r *Reconciler) aliases(ctx context.Context, s *scope) ([]string, error) {
	ran, err := r.ranBeside(ctx, s)
	if err != nil {
		return nil, err
	}
	// A revision that was retired is known by its Service only.
	live, err := r.liveBeside(ctx, s)
	if err != nil {
		return nil, err
	}
	for i := range live {
		if revision := revisionBeside(s.mesh.Name, names.Controller, live[i].Name); revision != "" {
			ran[revision] = true
		}
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(ran)), func(revision string) bool {
		return revision == s.plan.Beside || revision != s.situation.Wanted && s.sidecarsOf(revision) == 0
	}), nil
}

// ranBeside are the revisions that know of themselves that they ran beside another.
func (r *Reconciler) ranBeside(ctx context.Context, s *scope) (map[string]bool, error) {
	revisions, err := r.revisions(ctx, s)
	if err != nil {
		return nil, err
	}
	ran := map[string]bool{}
	for i := range revisions {
		if revisions[i].Status.RanBeside {
			ran[revisions[i].Name] = true
		}
	}
	return ran, nil
}

// sidecarsOf counts the live sidecars of a revision.
func (s *scope) sidecarsOf(revision string) int {
	n := 0
	for _, w := range s.situation.Workloads {
		n += w.Sidecars[revision]
	}
	return n
}

// liveBeside lists the Services of the mesh that have a revision in their name.
func (r *Reconciler) liveBeside(ctx context.Context, s *scope) ([]corev1.Service, error) {
	var list corev1.ServiceList
	if err := r.Client.List(ctx, &list, client.InNamespace(s.wanted.Namespace), client.MatchingLabels{names.MeshLabel: s.mesh.Name}); err != nil {
		return nil, fmt.Errorf("the Services of the control plane cannot be listed: %w", err)
	}
	return slices.DeleteFunc(list.Items, func(service corev1.Service) bool {
		beside := slices.ContainsFunc([]string{names.Controller, reportService, names.Injector}, func(component string) bool {
			return revisionBeside(s.mesh.Name, component, service.Name) != ""
		})
		return !beside || !metav1.IsControlledBy(&service, s.mesh)
	}), nil
}

// services keeps the Services of the mesh, which outlive each version, and those beside them.
func (r *Reconciler) services(ctx context.Context, s *scope) error {
	objects, err := s.release.Services(r.parameters(s))
	if err != nil {
		return err
	}
	beside, err := r.besideServices(ctx, s)
	if err != nil {
		return err
	}
	objects = append(objects, beside...)
	if err := apply.Own(s.mesh, r.Client.Scheme(), objects...); err != nil {
		return err
	}
	if _, err := r.Applier.All(ctx, s.mesh, objects); err != nil {
		return err
	}
	live, err := r.liveBeside(ctx, s)
	if err != nil {
		return err
	}
	for i := range live {
		named := func(object *unstructured.Unstructured) bool { return object.GetName() == live[i].Name }
		if slices.ContainsFunc(objects, named) || live[i].DeletionTimestamp != nil {
			continue
		}
		if err := r.deleteOne(ctx, &live[i]); err != nil {
			return err
		}
	}
	return nil
}
