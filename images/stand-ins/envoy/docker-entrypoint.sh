#!/bin/sh
# As in the image this stands for: options alone are options of envoy.
case ${1:--} in
-*) set -- envoy "$@" ;;
esac
exec "$@"
