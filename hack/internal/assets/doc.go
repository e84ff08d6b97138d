// Package assets names every program and image the local cluster is made of, with its version, and makes what is not cached.
//
// In: the folder of this module, for the sources in it, and the module proxy. Out: folders of binaries and image archives.
package assets
