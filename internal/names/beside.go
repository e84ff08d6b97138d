package names

import "strings"

// Beside is the name of a part of the control plane that runs beside the mesh's own: the name with a suffix. An empty suffix means the
// mesh's own part, whose name it is.
func Beside(name, suffix string) string {
	if suffix == "" {
		return name
	}
	return name + "-" + suffix
}

// Component is the part of the control plane, Controller or Injector, that a pod with this value of AppLabel belongs to, be it the mesh's
// own or beside it. Empty means that the pod is something else.
func Component(app string) string {
	for _, name := range []string{Controller, Injector} {
		if app == name || strings.HasPrefix(app, name+"-") {
			return name
		}
	}
	return ""
}
