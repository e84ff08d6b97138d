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
	"github.com/openservicemesh/osm-operator/internal/inject"
)

// Cluster is what the handler needs to know about the cluster, and the one thing it may do there.
type Cluster interface {
	// Namespace is a namespace as last seen, or, with fresh, as it is now.
	Namespace(ctx context.Context, name string, fresh bool) (inject.Namespace, error)
	// Settings is the MeshConfig of the mesh; the zero value without one.
	Settings(ctx context.Context) (configv1alpha2.MeshConfigSpec, error)
	// EnsureTrust puts the root certificate into a namespace that does not have it.
	EnsureTrust(ctx context.Context, namespace string) error
}

// Handler decides about pods at their creation, and about ephemeral containers that are added to them.
type Handler struct {
	// Config is the configuration without Settings, which come from the Cluster with every review.
	Config  inject.Config
	Cluster Cluster
	// NewUUID makes the identifier of a sidecar.
	NewUUID func() string
	Log     logr.Logger
}

// Handle answers one review.
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
		return answer(log, pod, inject.RefuseEphemeral(pod)).WithWarnings(inject.WarnEphemeral(pod)...)
	case req.SubResource != "" || req.Operation != admissionv1.Create:
		return admission.Allowed("only new pods get sidecars")
	}
	return h.create(ctx, log, pod, req.DryRun != nil && *req.DryRun)
}

// create answers the review of a new pod.
func (h *Handler) create(ctx context.Context, log logr.Logger, pod *corev1.Pod, dryRun bool) admission.Response {
	config := h.Config
	var err error
	if config.Settings, err = h.Cluster.Settings(ctx); err != nil {
		return answer(log, pod, failure{err})
	}
	ns, decision, err := h.decide(ctx, pod, config)
	if err != nil {
		return answer(log, pod, err)
	}
	if !decision.Inject {
		log.V(1).Info("pod stays without a sidecar", "reason", decision.Reason)
		response := admission.Allowed(decision.Reason)
		if decision.Unprotected {
			return response.WithWarnings(decision.Reason)
		}
		return response
	}
	injected, err := inject.Mutate(pod, ns, config, h.NewUUID())
	if err != nil {
		return answer(log, pod, err)
	}
	if !dryRun {
		if err := h.Cluster.EnsureTrust(ctx, ns.Name); err != nil {
			return answer(log, pod, failure{err})
		}
	}
	response, err := patch(pod, injected)
	if err != nil {
		return answer(log, pod, failure{err})
	}
	log.V(1).Info("pod gets a sidecar", "revision", config.Revision)
	response.AuditAnnotations = audit(pod)
	return response.WithWarnings(inject.Warnings(pod, ns)...)
}

// audit notes in the API server's audit log what a pod keeps away from its sidecar, so that it can be found later by whom.
func audit(pod *corev1.Pod) map[string]string {
	var notes map[string]string
	for _, annotation := range inject.Exclusions(pod) {
		if notes == nil {
			notes = map[string]string{}
		}
		_, key, _ := strings.Cut(annotation, "/")
		notes[key] = pod.Annotations[annotation]
	}
	return notes
}

// decide asks the API server once more before a pod is refused or left without a sidecar: what was last seen of its
// namespace may be a moment old, and a namespace is often labelled just before its first pods are made.
func (h *Handler) decide(ctx context.Context, pod *corev1.Pod, config inject.Config) (inject.Namespace, inject.Decision, error) {
	seen, err := h.Cluster.Namespace(ctx, pod.Namespace, false)
	if err == nil {
		decision, err := inject.ShouldInject(pod, seen, config)
		if err == nil && decision.Inject {
			return seen, decision, nil
		}
	}
	now, err := h.Cluster.Namespace(ctx, pod.Namespace, true)
	if err != nil {
		return inject.Namespace{}, inject.Decision{}, failure{err}
	}
	decision, err := inject.ShouldInject(pod, now, config)
	return now, decision, err
}

// patch compares two encodings of the same type, and not the bytes of the review with one: fields that this program does
// not know yet would be taken for deleted.
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

// A failure is an error that the pod's user cannot mend.
type failure struct{ error }

// answer allows a pod, or refuses it with a sentence for its user.
func answer(log logr.Logger, pod *corev1.Pod, err error) admission.Response {
	if err == nil {
		return admission.Allowed("")
	}
	var failed failure
	if errors.As(err, &failed) {
		log.Error(err, "pod refused because injection failed")
		return admission.Errored(http.StatusInternalServerError, errors.New(sentence(pod, err)))
	}
	log.Info("pod refused", "reason", err.Error())
	return admission.Denied(sentence(pod, err))
}

func sentence(pod *corev1.Pod, err error) string {
	return fmt.Sprintf("pod %s/%s cannot get its sidecar: %s", pod.Namespace, nameOf(pod), strings.ReplaceAll(err.Error(), "\n", "; "))
}

// nameOf is the name of a pod, or the beginning of the name that it will get.
func nameOf(pod *corev1.Pod) string {
	if pod.Name == "" {
		return pod.GenerateName + "*"
	}
	return pod.Name
}
