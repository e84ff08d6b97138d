package secrets

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
	"github.com/openservicemesh/osm-operator/internal/platform/lists"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// The Secrets with the serving certificates of the webhooks.
const (
	// InjectorCert is mounted by the injector.
	InjectorCert = names.InjectorCertSecret
	// ValidatorCert is mounted by the controller.
	ValidatorCert = "osm-validator-webhook-cert"
	// CanaryCert is mounted by the injector of the canary. A mesh has at most one canary.
	CanaryCert = names.CanaryCertSecret
)

// Names returns the names of the Secrets that the operator reads, in any namespace.
func Names() []string {
	return append([]string{names.CABundleSecret, names.ActiveCASecret, InjectorCert, ValidatorCert, CanaryCert}, Issued()...)
}

// Issued returns the names of the Secrets with authorities that others have issued.
func Issued() []string {
	return []string{names.DelegatedCA, names.VaultCA, names.FirstDeclaredCA, names.SecondDeclaredCA}
}

// Store reads Secrets by name.
type Store struct {
	caches map[string]cache.Cache
	live   client.Reader
}

// New adds one watch for each name to the manager.
func New(mgr manager.Manager) (*Store, error) {
	store := &Store{caches: map[string]cache.Cache{}, live: mgr.GetAPIReader()}
	for _, name := range Names() {
		c, err := cache.New(mgr.GetConfig(), cache.Options{
			Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(), HTTPClient: mgr.GetHTTPClient(),
			DefaultTransform: cache.TransformStripManagedFields(), NewInformer: backoff.NewInformer,
			ByObject: map[client.Object]cache.ByObject{&corev1.Secret{}: {Field: fields.OneTermEqualSelector(metav1.ObjectNameField, name)}},
		})
		if err != nil {
			return nil, fmt.Errorf("the watch of Secrets named %s cannot be prepared: %w", name, err)
		}
		if err := mgr.Add(c); err != nil {
			return nil, fmt.Errorf("the watch of Secrets named %s cannot be added: %w", name, err)
		}
		store.caches[name] = c
	}
	return store, nil
}

// Sources returns watches of all Secrets for a controller. requests maps a Secret to reconcile requests.
func (s *Store) Sources(requests func(context.Context, *corev1.Secret) []reconcile.Request) []source.Source {
	return lists.Map(lists.Unique(Names()), func(name string) source.Source {
		return source.Kind(s.caches[name], &corev1.Secret{}, handler.TypedEnqueueRequestsFromMapFunc(requests))
	})
}

// Get reads a Secret, or returns nil when it does not exist. A Secret that is not cached is read from the API server, because the caller
// would create it again.
func (s *Store) Get(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	key := client.ObjectKey{Namespace: namespace, Name: name}
	watched, ok := s.caches[name]
	if !ok {
		return nil, fmt.Errorf("the Secret %s is not watched", key)
	}
	secret := &corev1.Secret{}
	err := watched.Get(ctx, key, secret)
	if apierrors.IsNotFound(err) {
		err = s.live.Get(ctx, key, secret)
	}
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("the Secret %s cannot be read: %w", key, err)
	}
	return secret, nil
}
