// Package layer turns file trees into compressed image layers and keeps them in the cache folder by the key of what
// they were made from.
//
// Flows in: a key and a function that gathers the files. Flows out: an image layer whose bytes lie in the cache; the
// function is not called when the cache already holds the key.
package layer
