package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/influxdata/telegraf"

	"github.com/kloros/telegraf-chembus/plugins/common/option"
)

// stateful is a plugin with a state file.
type stateful interface {
	StatePlace() (path string, given bool)
}

// conflictWithState compares the state file of a plugin with that of another one, in a table of that name.
func conflictWithState(plugin, other stateful, name string) error {
	path, _ := plugin.StatePlace()
	others, _ := other.StatePlace()
	if !sameFile(path, others) {
		return nil
	}
	return &option.Error{
		Name:    "state_file",
		Problem: fmt.Sprintf("%q is also the state_file of [[%s]]", path, name),
		Allowed: "use a file for each plugin",
	}
}

// sameFile reports whether two paths are of one file, which need not exist.
func sameFile(a, b string) bool {
	return resolved(a) == resolved(b)
}

// resolved follows the symbolic links in a path as far as it exists.
func resolved(path string) string {
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	if folder, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(folder, filepath.Base(path))
	}
	return filepath.Clean(path)
}

// checkStateFolder returns an error if the folder of a plugin's state file does not exist: then the plugin does not
// start. Whether the plugin may write there only its own user can tell.
func checkStateFolder(plugin telegraf.PluginDescriber) error {
	p, ok := plugin.(stateful)
	if !ok {
		return nil
	}
	path, given := p.StatePlace()
	if !given {
		return nil
	}
	folder := filepath.Dir(path)
	if info, err := os.Stat(folder); err == nil && info.IsDir() || os.IsPermission(err) {
		return nil
	}
	return &option.Error{
		Name:    "state_file",
		Problem: fmt.Sprintf("%q is in a folder that does not exist", path),
		Allowed: fmt.Sprintf("create %q for the user that runs Telegraf, or name a file in another folder", folder),
	}
}
