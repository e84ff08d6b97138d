package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-logr/logr"
	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	configv1alpha2 "github.com/openservicemesh/osm-operator/api/config/v1alpha2"
	"github.com/openservicemesh/osm-operator/internal/injector/inject"
)

// Cluster gives the handler access to the objects that it reads and to the one object that it creates.
type Cluster interface {
	// Namespace returns a namespace from the cache or, with fresh, from the API server.
	Namespace(ctx context.Context, name string, fresh bool) (inject.Namespace, error)
	// Settings returns the spec of the MeshConfig, or the zero value without one.
	Settings(ctx context.Context) (configv1alpha2.MeshConfigSpec, error)
	// TakesOver reports whether the mesh takes over a running Open Service Mesh.
	TakesOver(ctx context.Context) (bool, error)
	// HasOldKubelets reports whether nodes cannot restart a sidecar with another image.
	HasOldKubelets(ctx context.Context) (bool, error)
	// Reach returns what the state of the cluster contributes to the choice of destinations, from the cache.
	Reach(ctx context.Context, settings configv1alpha2.MeshConfigSpec) (inject.Reach, error)
	// EnsureTrust creates the trust ConfigMap in a namespace that does not have it.
	EnsureTrust(ctx context.Context, namespace string) error
}

// Handler reviews the creation of pods and the addition of ephemeral containers.
type Handler struct {
	// Config is the configuration without Settings and Reach, which the Cluster provides for each review.
	Config  inject.Config
	Cluster Cluster
	// NewUUID generates the identifier of a sidecar.
	NewUUID func() string
	Log     logr.Logger
}

// Handle returns the response to one review.
func (h *Handler) Handle(ctx context.Context, req admission.Request) admission.Response {
	if req.Kind.Kind != "Pod" || req.Kind.Group != "" {
		return admission.Allowed("only pods get sidecars")
	}
	pod := &corev1.Pod{}
	if err := json.Unmarshal(req.Object.Raw, pod); err != nil {
		return admission.Errored(http.StatusBadRequest, fmt.Errorf("the pod in the admission review cannot be read: %w", err))
	}
	pod.Namespace = req.Namespace
	log := h.Log.WithValues("namespace", req.Namespace, "pod", nameOf(pod))
	switch {
	case req.SubResource == "ephemeralcontainers":
		return respond(log, pod, inject.ValidateEphemeral(pod)).WithWarnings(inject.WarnEphemeral(pod)...)
	case req.SubResource != "" || req.Operation != admissionv1.Create:
		return admission.Allowed("only new pods get sidecars")
	}
	return h.reviewCreate(ctx, log, pod, req.DryRun != nil && *req.DryRun)
}

// reviewCreate reviews a new pod.
func (h *Handler) reviewCreate(ctx context.Context, log logr.Logger, pod *corev1.Pod, dryRun bool) admission.Response {
	config := h.Config
	var err error
	if config.Settings, err = h.Cluster.Settings(ctx); err != nil {
		return respond(log, pod, internalError{err})
	}
	ns, decision, err := h.decide(ctx, pod, config)
	if err != nil {
		return respond(log, pod, err)
	}
	if !decision.Inject {
		log.V(1).Info("pod left without a sidecar", "reason", decision.Reason)
		response := admission.Allowed(decision.Reason)
		if decision.Unprotected {
			return response.WithWarnings(decision.Reason)
		}
		return response
	}
	if inject.HasOSMSidecar(pod) {
		// Both injectors may see a pod for a moment. The first one decides.
		takesOver, err := h.Cluster.TakesOver(ctx)
		if err != nil {
			return respond(log, pod, internalError{err})
		}
		if takesOver {
			return admission.Allowed("the pod has a sidecar of the Open Service Mesh that this mesh takes over")
		}
	}
	if config.Reach, err = h.Cluster.Reach(ctx, config.Settings); err != nil {
		return respond(log, pod, internalError{err})
	}
	if config.InPlace, err = h.hasSlots(ctx, config); err != nil {
		return respond(log, pod, internalError{err})
	}
	injected, err := inject.Mutate(pod, ns, config, h.NewUUID())
	if err != nil {
		return respond(log, pod, err)
	}
	if !dryRun {
		if err := h.Cluster.EnsureTrust(ctx, ns.Name); err != nil {
			return respond(log, pod, internalError{err})
		}
	}
	response, err := patch(pod, injected)
	if err != nil {
		return respond(log, pod, internalError{err})
	}
	log.V(1).Info("sidecar injected", "revision", config.Revision)
	response.AuditAnnotations = auditAnnotations(pod)
	return response.WithWarnings(inject.Warnings(pod, ns, config)...)
}

// hasSlots reports whether pods get two slots. They get one while the kubelet of any node cannot upgrade them.
func (h *Handler) hasSlots(ctx context.Context, config inject.Config) (bool, error) {
	if !config.InPlace {
		return false, nil
	}
	old, err := h.Cluster.HasOldKubelets(ctx)
	return !old, err
}

// auditAnnotations records the traffic exclusions of a pod in the API server's audit log, where the user's name is known.
func auditAnnotations(pod *corev1.Pod) map[string]string {
	notes := map[string]string{}
	for _, annotation := range inject.Exclusions(pod) {
		_, key, _ := strings.Cut(annotation, "/")
		notes[key] = pod.Annotations[annotation]
	}
	return notes
}

// decide reads the namespace from the API server before it denies a pod or leaves it without a sidecar. The cache can be
// stale, and namespaces are often labelled just before their first pods are created.
func (h *Handler) decide(ctx context.Context, pod *corev1.Pod, config inject.Config) (inject.Namespace, inject.Decision, error) {
	cached, err := h.Cluster.Namespace(ctx, pod.Namespace, false)
	if err == nil {
		decision, err := inject.ShouldInject(pod, cached, config)
		if err == nil && decision.Inject {
			return cached, decision, nil
		}
	}
	live, err := h.Cluster.Namespace(ctx, pod.Namespace, true)
	if err != nil {
		return inject.Namespace{}, inject.Decision{}, internalError{err}
	}
	decision, err := inject.ShouldInject(pod, live, config)
	return live, decision, err
}

// patch compares two encodings of the same Go type. A comparison with the raw review would delete fields that this
// version of the type does not have.
func patch(before, after *corev1.Pod) (admission.Response, error) {
	original, err := json.Marshal(before)
	if err != nil {
		return admission.Response{}, err
	}
	changed, err := json.Marshal(after)
	if err != nil {
		return admission.Response{}, err
	}
	return admission.PatchResponseFromRaw(original, changed), nil
}

// internalError is an error that the pod's user cannot fix.
type internalError struct{ error }

// respond allows a pod, or denies it with a message for its user.
func respond(log logr.Logger, pod *corev1.Pod, err error) admission.Response {
	if err == nil {
		return admission.Allowed("")
	}
	var internal internalError
	if errors.As(err, &internal) {
		log.Error(err, "pod denied because injection failed")
		return admission.Errored(http.StatusInternalServerError, errors.New(denialMessage(pod, err)))
	}
	log.Info("pod denied", "reason", err.Error())
	return admission.Denied(denialMessage(pod, err))
}

func denialMessage(pod *corev1.Pod, err error) string {
	return fmt.Sprintf("pod %s/%s cannot get its sidecar: %s", pod.Namespace, nameOf(pod), strings.ReplaceAll(err.Error(), "\n", "; "))
}

// nameOf returns the name of a pod, or its generateName with an asterisk.
func nameOf(pod *corev1.Pod) string {
	if pod.Name == "" {
		return pod.GenerateName + "*"
	}
	return pod.Name
}
