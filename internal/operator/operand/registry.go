package operand

import (
	"path"
	"strings"
)

// RegistryVariable is the variable of the operator's Deployment with the registry of the images of recorded versions. Their references have
// no variables of their own.
const RegistryVariable = "OSM_IMAGE_REGISTRY"

// InRegistry returns the reference of an image in a registry that mirrors it: the registry with an optional path, then the whole reference.
// Without a registry it returns the reference.
func InRegistry(registry, reference string) string {
	if registry == "" || reference == "" {
		return reference
	}
	return strings.TrimSuffix(registry, "/") + "/" + reference
}

// in returns the images in a registry.
func (i Images) in(registry string) Images {
	return Images{
		Controller: InRegistry(registry, i.Controller), Injector: InRegistry(registry, i.Injector),
		Init: InRegistry(registry, i.Init), Sidecar: InRegistry(registry, i.Sidecar),
	}
}

// Keep returns the images in use where they are those of the version, in whatever registry. Pods that run from one registry must not depend
// on another one because the operator was updated.
func (i Images) Keep(used Images) Images {
	keep := func(image, used string) string {
		if isSameImage(image, used) {
			return used
		}
		return image
	}
	return Images{
		Controller: keep(i.Controller, used.Controller), Injector: keep(i.Injector, used.Injector),
		Init: keep(i.Init, used.Init), Sidecar: keep(i.Sidecar, used.Sidecar),
	}
}

// isSameImage reports whether two references name one image in two registries: with the same digest, or with the same name and tag. A tag
// that only one of them has does not distinguish them.
func isSameImage(a, b string) bool {
	nameA, tagA, digestA := parseImage(a)
	nameB, tagB, digestB := parseImage(b)
	if digestA != "" && digestA == digestB {
		return true
	}
	return nameA != "" && nameA == nameB && (tagA == tagB || tagA == "" || tagB == "")
}

// parseImage returns the last part of the name of an image, its tag and its digest.
func parseImage(reference string) (name, tag, digest string) {
	reference, digest, _ = strings.Cut(reference, "@")
	if reference == "" {
		return "", "", digest
	}
	name, tag, _ = strings.Cut(path.Base(reference), ":")
	return name, tag, digest
}
