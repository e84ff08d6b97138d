package webhook

import (
	"context"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/injector/inject"
	"github.com/openservicemesh/osm-operator/internal/platform/backoff"
	"github.com/openservicemesh/osm-operator/internal/platform/httpmetrics"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// Path is the path of admission reviews for pods.
	Path = "/mutate-pod-creation"
	// maxBody exceeds the largest pod that the API server stores, including its review.
	maxBody = 3 << 20
)

// NewServeMux returns a handler for reviews and the health endpoint.
func NewServeMux(handler admission.Handler, metrics *Metrics) http.Handler {
	review := &admission.Webhook{
		Handler: admission.HandlerFunc(func(ctx context.Context, req admission.Request) admission.Response {
			response := handler.Handle(ctx, req)
			metrics.countReview(req.Kind.Kind, response.Allowed)
			return response
		}),
		RecoverPanic: new(true),
	}
	mux := http.NewServeMux()
	mux.Handle(Path, metrics.responses.Measure(onlyReviews(review), Path))
	mux.Handle("/healthz", metrics.responses.Measure(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "alive")
	}), "/healthz"))
	return mux
}

// onlyReviews rejects requests that cannot come from an API server before it reads their bodies.
func onlyReviews(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		switch {
		case r.Method != http.MethodPost:
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "admission reviews are sent with POST", http.StatusMethodNotAllowed)
		case err != nil || media != "application/json":
			http.Error(w, "admission reviews are JSON: set the header Content-Type to application/json", http.StatusUnsupportedMediaType)
		case r.ContentLength > maxBody:
			http.Error(w, fmt.Sprintf("the admission review is larger than %d bytes", maxBody), http.StatusRequestEntityTooLarge)
		default:
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			next.ServeHTTP(w, r)
		}
	})
}

// Metrics counts reviews and HTTP responses, under OSM's names.
type Metrics struct {
	reviews   *prometheus.CounterVec
	responses *httpmetrics.Metrics
}

// NewMetrics registers the metrics. now is the clock.
func NewMetrics(registerer prometheus.Registerer, now func() time.Time) *Metrics {
	m := &Metrics{
		reviews: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "osm_admission_webhook_response_total", Help: "Admission reviews answered, by kind of object and whether it was allowed.",
		}, []string{"kind", "success"}),
		responses: httpmetrics.New(registerer, now),
	}
	registerer.MustRegister(m.reviews)
	return m
}

// countReview counts a review. Callers choose the kind, so all kinds but Pod count as "other".
func (m *Metrics) countReview(kind string, allowed bool) {
	if kind != "Pod" {
		kind = "other"
	}
	m.reviews.WithLabelValues(kind, strconv.FormatBool(allowed)).Inc()
}

// Objects implements Cluster with a cache and an API client.
type Objects struct {
	// Mesh is the name of the mesh, MeshNamespace the namespace of its control plane.
	Mesh, MeshNamespace string
	// Cached reads from a cache that was created with CacheOptions.
	Cached client.Reader
	// Live reads from the API server.
	Live client.Reader
	// Writer creates trust ConfigMaps.
	Writer client.Writer
	// Network counts what Reach returns.
	Network *Network
}

// CacheOptions limits a cache to the objects that Objects reads, the mesh's namespaces, MeshConfig and trust ConfigMaps, and to the names of those that it
// counts. Each kind here must exist in every supported version of Kubernetes: without one, no cache can be created.
func CacheOptions(mesh, meshNamespace string) cache.Options {
	return cache.Options{
		DefaultTransform: cache.TransformStripManagedFields(),
		NewInformer:      backoff.NewInformer,
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Namespace{}:          {Label: labels.SelectorFromSet(labels.Set{names.MonitoredByLabel: mesh})},
			&configv1alpha2.MeshConfig{}: {Namespaces: map[string]cache.Config{meshNamespace: {}}},
			&corev1.ConfigMap{}:          {Field: fields.OneTermEqualSelector("metadata.name", names.TrustConfigMap(mesh))},
			ServiceMetadata():            {Transform: stripMetadata},
		},
	}
}

// Cached returns the kinds that the cache must have synced before the server becomes ready.
func Cached() []client.Object {
	return []client.Object{namespaceMetadata(), &configv1alpha2.MeshConfig{}, &corev1.ConfigMap{}, &corev1.LimitRange{}}
}

func namespaceMetadata() *metav1.PartialObjectMetadata {
	return metadataOf(corev1.SchemeGroupVersion.WithKind("Namespace"))
}

// metadataOf returns an empty object of a kind.
func metadataOf(kind schema.GroupVersionKind) *metav1.PartialObjectMetadata {
	object := &metav1.PartialObjectMetadata{}
	object.SetGroupVersionKind(kind)
	return object
}

// Namespace returns a namespace. A namespace that is not found has no labels, so it is not part of the mesh.
func (o *Objects) Namespace(ctx context.Context, name string, fresh bool) (inject.Namespace, error) {
	reader := o.Cached
	if fresh {
		reader = o.Live
	}
	object := namespaceMetadata()
	err := reader.Get(ctx, client.ObjectKey{Name: name}, object)
	if apierrors.IsNotFound(err) {
		return inject.Namespace{Name: name}, nil
	}
	if err != nil {
		return inject.Namespace{}, fmt.Errorf("namespace %s cannot be read: %w", name, err)
	}
	limited, err := limitedResources(ctx, reader, name)
	if err != nil {
		return inject.Namespace{}, err
	}
	return inject.Namespace{Name: name, Labels: object.Labels, Annotations: object.Annotations, LimitedResources: limited}, nil
}

// Settings returns the spec of the MeshConfig, or the defaults if it does not exist.
func (o *Objects) Settings(ctx context.Context) (configv1alpha2.MeshConfigSpec, error) {
	object := &configv1alpha2.MeshConfig{}
	err := o.Cached.Get(ctx, client.ObjectKey{Namespace: o.MeshNamespace, Name: names.MeshConfig}, object)
	if client.IgnoreNotFound(err) != nil {
		return configv1alpha2.MeshConfigSpec{}, fmt.Errorf("the MeshConfig %s/%s cannot be read: %w", o.MeshNamespace, names.MeshConfig, err)
	}
	return object.Spec, nil
}

// HasOldKubelets reports whether the operator has found nodes that cannot restart a sidecar with another image.
func (o *Objects) HasOldKubelets(ctx context.Context) (bool, error) {
	return o.isAnnotated(ctx, names.OldKubeletsAnnotation)
}

// TakesOver reports whether the mesh takes over a running Open Service Mesh.
func (o *Objects) TakesOver(ctx context.Context) (bool, error) {
	return o.isAnnotated(ctx, names.TakesOverAnnotation)
}

// isAnnotated reports whether the MeshConfig has an annotation of the operator.
func (o *Objects) isAnnotated(ctx context.Context, annotation string) (bool, error) {
	object := &configv1alpha2.MeshConfig{}
	err := o.Cached.Get(ctx, client.ObjectKey{Namespace: o.MeshNamespace, Name: names.MeshConfig}, object)
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("the MeshConfig %s/%s cannot be read: %w", o.MeshNamespace, names.MeshConfig, err)
	}
	return object.Annotations[annotation] != "", nil
}

// EnsureTrust creates the trust ConfigMap of a namespace as a copy of the one in the mesh's own namespace. It never
// updates an existing one, which the operator keeps up to date.
func (o *Objects) EnsureTrust(ctx context.Context, namespace string) error {
	name := names.TrustConfigMap(o.Mesh)
	err := o.Cached.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &corev1.ConfigMap{})
	if err == nil {
		return nil
	}
	if !apierrors.IsNotFound(err) {
		return fmt.Errorf("the ConfigMap %s/%s cannot be read: %w", namespace, name, err)
	}
	source := &corev1.ConfigMap{}
	if err := o.Cached.Get(ctx, client.ObjectKey{Namespace: o.MeshNamespace, Name: name}, source); err != nil {
		return fmt.Errorf("the root certificate of the mesh does not exist yet: the operator writes it to the ConfigMap %s/%s, "+
			"after which the pod can be created: %w", o.MeshNamespace, name, err)
	}
	copied := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: source.Labels},
		Data:       map[string]string{names.CABundleCert: source.Data[names.CABundleCert]},
	}
	if err := o.Writer.Create(ctx, copied); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("the root certificate of the mesh cannot be written to the ConfigMap %s/%s, which the sidecar needs: %w", namespace, name, err)
	}
	return nil
}
