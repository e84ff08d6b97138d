package operand

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// deployment is a Deployment in which absent fields stay absent. The operator applies and owns all fields that are set.
type deployment = appsv1ac.DeploymentApplyConfiguration

// The environment variables of the injector with the images that it adds to pods.
const (
	sidecarImageVariable = "OSM_DEFAULT_ENVOY_IMAGE"
	initImageVariable    = "OSM_DEFAULT_INIT_CONTAINER_IMAGE"
)

// editDeployment edits a Deployment in its typed form.
func editDeployment(object *unstructured.Unstructured, edit func(*deployment) error) error {
	var typed deployment
	if err := roundTrip(object.Object, &typed); err != nil {
		return err
	}
	if typed.Spec == nil || typed.Spec.Template == nil || typed.Spec.Template.Spec == nil || typed.Spec.Template.ObjectMetaApplyConfiguration == nil {
		return fmt.Errorf("it has no pod template")
	}
	if err := edit(&typed); err != nil {
		return err
	}
	object.Object = nil
	return roundTrip(&typed, &object.Object)
}

// roundTrip copies between forms of an object through JSON. Integers stay integers.
func roundTrip(from, to any) error {
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, to)
}

// fillDeployment sets the parameters of a mesh in a Deployment.
func fillDeployment(d *deployment, version string, p Parameters) error {
	if d.Name == nil {
		return fmt.Errorf("it has no name")
	}
	w := p.workload(*d.Name)
	d.Spec.Replicas = &w.Replicas
	if w.Autoscaling != nil {
		d.Spec.Replicas = nil
	}
	if err := fillScheduling(d, p.Scheduling); err != nil {
		return err
	}
	d.Spec.Template.WithLabels(Labels(p.Mesh, version))
	if _, named := d.Spec.Template.Labels[names.ControlPlaneRevisionLabel]; named {
		d.Spec.Template.WithLabels(map[string]string{names.ControlPlaneRevisionLabel: p.Revision})
	}
	fillReportAudience(d, p.Mesh)
	addMetadata(d.ObjectMetaApplyConfiguration, w)
	addMetadata(d.Spec.Template.ObjectMetaApplyConfiguration, w)
	for i := range d.Spec.Template.Spec.Containers {
		container := &d.Spec.Template.Spec.Containers[i]
		fillFlags(container, p)
		fillImages(container, p.Images)
		if w.Resources != nil {
			container.Resources = corev1ac.ResourceRequirements()
			if err := roundTrip(w.Resources, container.Resources); err != nil {
				return err
			}
		}
	}
	return nil
}

// fillReportAudience sets the audience of tokens for the report API, in the annotation of the pods and in the tokens that they get.
func fillReportAudience(d *deployment, mesh string) {
	audience := names.ReportAudience(mesh)
	if _, requires := d.Spec.Template.Annotations[names.ReportAudienceAnnotation]; requires {
		d.Spec.Template.WithAnnotations(map[string]string{names.ReportAudienceAnnotation: audience})
	}
	for i := range d.Spec.Template.Spec.Volumes {
		volume := &d.Spec.Template.Spec.Volumes[i]
		if volume.Projected == nil {
			continue
		}
		for j := range volume.Projected.Sources {
			if token := volume.Projected.Sources[j].ServiceAccountToken; token != nil {
				token.Audience = &audience
			}
		}
	}
}

// addMetadata adds the labels and annotations of a workload that are not set yet.
func addMetadata(object *metav1ac.ObjectMetaApplyConfiguration, w Workload) {
	for key, value := range w.Labels {
		if _, set := object.Labels[key]; !set {
			object.WithLabels(map[string]string{key: value})
		}
	}
	for key, value := range w.Annotations {
		if _, set := object.Annotations[key]; !set {
			object.WithAnnotations(map[string]string{key: value})
		}
	}
}

// fillFlags sets the values of the flags that the container lists.
func fillFlags(container *corev1ac.ContainerApplyConfiguration, p Parameters) {
	values := flags(p)
	for i, argument := range container.Args {
		name := flagName(argument)
		if value := values[name]; value != "" {
			container.Args[i] = "--" + name + "=" + value
		}
	}
}

// flagName is the name of the flag in an argument.
func flagName(argument string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(argument, "--"), "=")
	return name
}

// imageFields maps the image fields of a container to the images they contain.
func imageFields(container *corev1ac.ContainerApplyConfiguration, images *Images) map[**string]*string {
	fields := map[**string]*string{}
	switch {
	case container.Name == nil:
	case *container.Name == names.Controller:
		fields[&container.Image] = &images.Controller
	case *container.Name == names.Injector:
		fields[&container.Image] = &images.Injector
	}
	for i := range container.Env {
		variable := &container.Env[i]
		switch {
		case variable.Name == nil:
		case *variable.Name == sidecarImageVariable:
			fields[&variable.Value] = &images.Sidecar
		case *variable.Name == initImageVariable:
			fields[&variable.Value] = &images.Init
		}
	}
	return fields
}

// fillImages sets the images of a container.
func fillImages(container *corev1ac.ContainerApplyConfiguration, images Images) {
	for field, image := range imageFields(container, &images) {
		*field = image
	}
}
