package operand

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"

	"github.com/openservicemesh/osm-operator/internal/names"
)

// deployment is a Deployment in which an absent field stays absent: whatever is in it is applied and owned.
type deployment = appsv1ac.DeploymentApplyConfiguration

// The variables by which the injector knows the images that it puts into pods.
const (
	sidecarImageVariable = "OSM_DEFAULT_ENVOY_IMAGE"
	initImageVariable    = "OSM_DEFAULT_INIT_CONTAINER_IMAGE"
)

// editDeployment changes a Deployment through its typed form.
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

// roundTrip copies between forms of an object by way of JSON; whole numbers stay whole.
func roundTrip(from, to any) error {
	text, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, to)
}

// fillDeployment gives a Deployment the parameters of a mesh.
func fillDeployment(d *deployment, version string, p Parameters) error {
	d.Spec.Replicas = &p.Replicas
	if p.Autoscaling != nil {
		d.Spec.Replicas = nil
	}
	if err := fillScheduling(d, p.Scheduling); err != nil {
		return err
	}
	d.Spec.Template.WithLabels(Labels(p.Mesh, version))
	for i := range d.Spec.Template.Spec.Containers {
		container := &d.Spec.Template.Spec.Containers[i]
		fillFlags(container, p)
		fillImages(container, p.Images)
		if p.Resources != nil {
			if err := fillResources(container, p.Resources); err != nil {
				return err
			}
		}
	}
	return nil
}

// fillFlags gives the listed flags their values.
func fillFlags(container *corev1ac.ContainerApplyConfiguration, p Parameters) {
	values := flags(p)
	for i, argument := range container.Args {
		name := flagName(argument)
		if value := values[name]; value != "" {
			container.Args[i] = "--" + name + "=" + value
		}
	}
}

// flagName is the name of the flag that an argument gives.
func flagName(argument string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(argument, "--"), "=")
	return name
}

// imageFields lists where a container names images.
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

// fillImages writes images into a container.
func fillImages(container *corev1ac.ContainerApplyConfiguration, images Images) {
	for field, image := range imageFields(container, &images) {
		*field = image
	}
}

// readImages reads images out of a container.
func readImages(container *corev1ac.ContainerApplyConfiguration, images *Images) {
	for field, image := range imageFields(container, images) {
		if *field != nil {
			*image = **field
		}
	}
}

// fillResources replaces the compute resources of a container.
func fillResources(container *corev1ac.ContainerApplyConfiguration, resources *corev1.ResourceRequirements) error {
	container.Resources = corev1ac.ResourceRequirements()
	return roundTrip(resources, container.Resources)
}
