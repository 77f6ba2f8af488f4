package main

import (
	_ "github.com/google/uuid"
	_ "github.com/influxdata/telegraf/plugins/common/shim"
	_ "github.com/influxdata/telegraf/testutil"
	_ "github.com/influxdata/toml"
	_ "github.com/kloros/telegraf-chembus/plugins/inputs/chembus"
	_ "github.com/kloros/telegraf-chembus/plugins/outputs/chembus"
	_ "github.com/kloros/telegraf-chembus/plugins/processors/liveness"
	_ "github.com/pebbe/zmq4"
	_ "github.com/stretchr/testify/require"
	_ "github.com/tidwall/gjson"
)

func main() {}
