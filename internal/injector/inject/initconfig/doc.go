// Package initconfig defines the format in which the injector passes configuration to osm-init.
//
// The injector encodes a Document as one argument of osm-init, and osm-init decodes it when the pod starts. A pod can
// restart long after its admission, so documents of older versions must stay readable.
package initconfig
