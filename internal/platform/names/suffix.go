package names

import "strings"

// WithSuffix is the name of a component of a revision: the name and its suffix. Components of the active revision have
// no suffix.
func WithSuffix(name, suffix string) string {
	if suffix == "" {
		return name
	}
	return name + "-" + suffix
}

// Component returns the component, Controller or Injector, of a pod with this value of AppLabel, for any revision;
// empty for other pods.
func Component(app string) string {
	for _, name := range []string{Controller, Injector} {
		if app == name || strings.HasPrefix(app, name+"-") {
			return name
		}
	}
	return ""
}

// CanarySuffix is the suffix of the object names of a canary revision: the revision name without the mesh name.
func CanarySuffix(mesh, revision string) string { return strings.TrimPrefix(revision, mesh+"-") }
